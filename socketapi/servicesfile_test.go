package socketapi

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The services file may have any content.
func FuzzServicesFile(f *testing.F) {
	f.Add("http 80/tcp www\ndomain 53/udp\n", "www")
	f.Add("domain 053/tcp\n", "domain") // a number with a zero is in the table
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, file, name string) {
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		services := servicesFile(path)
		if port, ok := services.named(name, "tcp"); ok {
			require.NotEmpty(t, services.at(port, "tcp"))
		}
	})
}
