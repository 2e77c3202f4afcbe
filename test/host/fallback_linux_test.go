package host

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
)

// A user other than root gets a sandbox with a veth pair if /dev/net/tun is missing or must not be opened.
func TestSandboxWithoutDevice(t *testing.T) {
	netns.NeedTool(t, "setpriv")
	for name, hide := range map[string]string{
		"missing":   "mount -t tmpfs none /dev/net",
		"forbidden": "mount -t tmpfs none /dev/net && touch /dev/net/tun && chmod 0 /dev/net/tun",
	} {
		t.Run(name, func(t *testing.T) {
			out, status := sandboxAfter(t, hide, "--", "ping", "-c", "3", "-i", "0.01", stackIP)
			require.Zero(t, status, out)
			require.Contains(t, out, "ready veth0: the stack is 10.0.0.2/24, the host 10.0.0.1")
			require.Contains(t, out, "3 packets transmitted, 3 received, 0% packet loss")

			out, status = sandboxAfter(t, hide, "--dev", "x1", "--queues", "2", "--", "tunstack", "ping", "-c", "1", hostIP)
			require.Zero(t, status, out)
			require.Contains(t, out, "ready x1: ")

			out, status = sandboxAfter(t, hide, "--driver", "linux", "--", "true")
			require.Equal(t, 1, status)
			require.Contains(t, out, "veth")
		})
	}
}

// sandboxAfter runs a sandbox as a user other than root in a mount namespace, after a shell command.
func sandboxAfter(t *testing.T, setup string, args ...string) (out string, status int) {
	t.Helper()
	netns.Need(t)
	path, err := program()
	require.NoError(t, err, path)
	script := setup + ` && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" up --sandbox "$@"`
	return run(t, command(t, "unshare", append([]string{"-m", "sh", "-c", script, path}, args...)...))
}

// Without namespaces the message names the commands that work without one.
func TestSandboxForbidden(t *testing.T) {
	netns.Need(t)
	const limit = "/proc/sys/user/max_user_namespaces"
	old, err := os.ReadFile(limit)
	require.NoError(t, err)
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		netns.Missing(t, err.Error())
	}
	defer os.WriteFile(limit, old, 0)
	out, status := sandbox(t, "true")
	require.Equal(t, 1, status)
	require.Contains(t, out, `"tunstack trace --sim" and "tunstack step --sim"`)
}
