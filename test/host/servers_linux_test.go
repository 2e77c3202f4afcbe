package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serve starts a server on the host's side and returns when it listens at port of protocol "tcp" or "udp". It ends with
// the test at the latest.
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

// listens says whether a socket of the kernel's waits at a port. To try it out would take a server's only connection.
func listens(t *testing.T, protocol string, port int) bool {
	t.Helper()
	state := map[string]string{"tcp": "0A", "udp": "07"}[protocol]
	table, err := os.ReadFile("/proc/self/net/" + protocol)
	require.NoError(t, err)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // number, own address, the peer's, state
		if strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == state {
			return true
		}
	}
	return false
}
