package host

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
)

// exists reports whether the host has an interface.
func exists(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

// After a killed stack the next starts at once under the same names.
func TestRestartAfterKill(t *testing.T) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				n := start(t, flags...)
				require.Equal(t, "hi\n", talkOnce(t, "hi"))
				n.kill()
			}
			up(t, flags...)
			require.Equal(t, "hi\n", talkOnce(t, "hi"))
		})
	}
}

// talkOnce is the echo service's answer to a line.
func talkOnce(t *testing.T, line string) string {
	t.Helper()
	cmd := command(t, "nc", "-N", stackIP, "7")
	cmd.Stdin = strings.NewReader(line + "\n")
	out, status := run(t, cmd)
	require.Zero(t, status, out)
	return out
}

// A terminating signal is a success, and removes the interface.
func TestSignals(t *testing.T) {
	for _, s := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			n := start(t)
			require.True(t, exists("tun0"))
			c, err := hostDial(19) // with a connection at full speed
			require.NoError(t, err)
			defer c.Close()
			n.signal(s, 0)
			require.False(t, exists("tun0"))
		})
	}
}

// If its interface is deleted, the program ends and prints the reason.
func TestInterfaceDeleted(t *testing.T) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) {
			n := start(t, flags...)
			succeed(t, "ip", "link", "delete", flags[1])
			timeout := time.AfterFunc(patience, func() { n.cmd.Process.Kill() })
			defer timeout.Stop()
			require.Error(t, n.cmd.Wait())
			require.Equal(t, 1, n.cmd.ProcessState.ExitCode(), n.errs.String())
			require.Equal(t, "tunstack: interface "+flags[1]+" was deleted\n", n.errs.String())
		})
	}
	out, status := sandbox(t, "ip link delete tun0")
	require.Equal(t, 1, status, out)
	require.Contains(t, out, "tunstack: interface tun0 was deleted\n")
}

// A stack survives an interface that is down for a while.
func TestInterfaceDownAndUp(t *testing.T) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) {
			up(t, flags...)
			succeed(t, "ip", "link", "set", flags[1], "down")
			succeed(t, "ip", "link", "set", flags[1], "up")
			require.Equal(t, "hi\n", talkOnce(t, "hi"))
		})
	}
}

// The sandbox needs no privilege, and its status is the command's.
func TestSandbox(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"ping -c 3 -i 0.01 10.0.0.2", 0, "3 packets transmitted, 3 received, 0% packet loss"},
		{"ping -c 1 -W 1 10.0.0.99", 1, "100% packet loss"},
		{"tunstack ping -c 1 10.0.0.1", 0, "1 packets transmitted, 1 received"},
		{"true", 0, ""},
		{"sh -c exit\t7", 7, ""},
		{"sh -c kill\t-9\t$$", 128 + 9, ""},
		{"no-such-program", 1, `"no-such-program": executable file not found`},
	} {
		t.Run(strings.ReplaceAll(c.args, "\t", " "), func(t *testing.T) {
			out, status := sandbox(t, c.args)
			require.Equal(t, c.status, status, out)
			require.Contains(t, out, c.says)
		})
	}
	require.False(t, exists("tun0"), "the sandbox has left its namespace")
}

// sandbox runs a command, with words separated by blanks and tabs in place of blanks in them, in a sandbox.
func sandbox(t *testing.T, line string) (out string, status int) {
	t.Helper()
	netns.Need(t)
	path, err := program()
	require.NoError(t, err, path)
	args := []string{"up", "--sandbox", "--"}
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' }) {
		args = append(args, strings.ReplaceAll(word, "\t", " "))
	}
	return run(t, command(t, path, args...))
}
