package socketapi

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hosts and services files may have any content.
func FuzzFiles(f *testing.F) {
	f.Add("127.0.0.1 localhost\n10.0.0.2 stack stack.example # ours\n::1 localhost\n", "stack")
	f.Add("http 80/tcp www\ndomain 53/udp\n", "www")
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, file, name string) {
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		table := files{hosts: path, services: path}
		addrs, canonical := table.host(name)
		require.Equal(t, len(addrs) > 0, canonical != "")
		table.service(name, "tcp")
	})
}
