package host

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Changes show at the next tick, until an interrupt.
func TestNetstatWatch(t *testing.T) {
	n := up(t)
	watching := talkTo(t, n.command("netstat", "-i", "--watch", "0.05"))
	watching.hear("LISTEN")
	c, err := net.Dial("tcp", stackIP+":7")
	require.NoError(t, err)
	defer c.Close()
	watching.hear("ESTAB ")
	watching.hear("cubic")
	require.NoError(t, watching.cmd.Process.Signal(unix.SIGINT))
	require.Zero(t, watching.end(), watching.out.String())

	growing := talkTo(t, n.command("netstat", "-s", "--watch=0.05"))
	growing.hear("tcp.open.passive")
	succeed(t, "ping", "-c", "7", "-i", "0.002", stackIP)
	growing.hear("echo requests received")
	wait(t, "it grows", func() bool {
		return regexp.MustCompile(`icmp\.in\.echo_requests +\d+ +\+\d+  echo requests received \(RFC 1122 3\.2\.2\.6\)`).
			MatchString(growing.out.String())
	})
	require.NoError(t, growing.cmd.Process.Signal(unix.SIGINT))
	require.Zero(t, growing.end(), growing.out.String())
}

// Every counter has a meaning, and every drop an RFC section, except for drops because the stack lacks room.
func TestNetstatCounters(t *testing.T) {
	n := up(t, kinds["tap"]...)
	lines := strings.Split(strings.TrimSpace(n.succeed("", "netstat", "-s")), "\n")
	require.Greater(t, len(lines), 100)
	var unasked []string
	for _, line := range lines {
		require.Regexp(t, `^[a-z0-9_.]+ +\d+  \S.+$`, line)
		if name, _, _ := strings.Cut(line, " "); strings.Contains(name, ".drop.") && !strings.HasSuffix(line, ")") {
			unasked = append(unasked, name)
		}
	}
	require.Equal(t, []string{"link.drop.device", "link.drop.queue_full", "ipv4.drop.output", "igmp.drop.output", "ipv6.drop.output", "mld.drop.output", "tcp.drop.socket_busy"}, unasked)
}

// The groups of all hosts are there from the start.
func TestNetstatGroups(t *testing.T) {
	n := up(t, kinds["tap"]...)
	require.Regexp(t, `(?m)^tap0 +1 +224\.0\.0\.1 +all$`, n.succeed("", "netstat", "-g"))
	require.NotContains(t, n.succeed("", "netstat", "-g", "-6"), "224.0.0.1")
	require.Contains(t, n.succeed("", "netstat", "-g", "--json"), `"group": "ff02::1"`)
}

// The kernel's curl gets the metrics from the stack as Prometheus would.
func TestMetrics(t *testing.T) {
	up(t)
	succeed(t, "ping", "-c", "3", "-i", "0.01", stackIP)
	out := succeed(t, "curl", "-sS", "--fail", "--max-time", "10", "http://"+stackIP+"/metrics")
	require.Contains(t, out, "# TYPE tunstack_icmp_in_echo_requests_total counter\ntunstack_icmp_in_echo_requests_total 3\n")
	require.Contains(t, out, "\n"+`tunstack_drops_total{layer="tcp",reason="bad_checksum"} 0`+"\n")
	require.Contains(t, out, "\n"+`tunstack_tcp_connections{state="ESTAB"} 1`+"\n", "curl's own")
}
