package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serve starts a server on the host and returns when it listens at port of protocol "tcp" or "udp". The server ends with the
// test at the latest.
func serve(t *testing.T, protocol string, port int, cmd *exec.Cmd) *talk {
	t.Helper()
	c := talkTo(t, cmd)
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	wait(t, cmd.String()+" listens", func() bool { return listens(t, protocol, port) })
	return c
}

// listens reports whether a socket of the kernel listens at a port. A test connection would use up a server's only one.
func listens(t *testing.T, protocol string, port int) bool {
	t.Helper()
	state := map[string]string{"tcp": "0A", "udp": "07"}[protocol]
	table, err := os.ReadFile("/proc/self/net/" + protocol)
	require.NoError(t, err)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // number, own address, peer's address, state
		if strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == state {
			return true
		}
	}
	return false
}
