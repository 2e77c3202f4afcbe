package host

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTelnetEcho(t *testing.T) {
	up(t)
	c := talkTo(t, command(t, "telnet", stackIP, "7"))
	c.hear("Connected to " + stackIP)
	for _, line := range []string{"one", "and another", "Ünïcödé"} {
		c.say(line)
		c.hear(line)
	}
}

func TestTelnetKnock(t *testing.T) {
	up(t)
	c := talkTo(t, command(t, "telnet", stackIP, "1414"))
	c.hear("Connected to " + stackIP)
	c.say("Hello?")
	c.hear(`Expected "Knock knock"`)
	c.say("Knock knock")
	c.hear("Who's there?")
	c.say("Lettuce")
	c.hear("Lettuce who?")
	c.say("Lettuce in, it's cold out here!")
	c.hear("Connection closed by foreign host.")
	c.end()
}

func TestCurl(t *testing.T) {
	up(t)
	out := succeed(t, "curl", "-sS", "--fail", "--max-time", "10", "http://"+stackIP+"/", "http://"+stackIP+"/")
	require.Equal(t, 2, strings.Count(out, "</html>"), out)
	require.Contains(t, out, stackIP)
	out, status := run(t, command(t, "curl", "-sS", "--fail", "--max-time", "10", "http://"+stackIP+"/missing"))
	require.Equal(t, 22, status, out)
	require.Contains(t, out, "404")
}

// traceroute runs the host's traceroute with an equal wait for each probe. By default it ignores an answer that takes three
// times as long as another from the same hop, as happens on a busy machine.
func traceroute(t *testing.T, args ...string) string {
	t.Helper()
	return succeed(t, "traceroute", append([]string{"-w", "5"}, args...)...)
}

// With each kind of probe traceroute reaches the stack, one hop away.
func TestTraceroute(t *testing.T) {
	for _, method := range []string{"default", "icmp", "tcp"} {
		t.Run(method, func(t *testing.T) {
			up(t) // a new stack, because of the limit on ICMP errors to one host
			out := traceroute(t, "-n", "-m", "4", "-M", method, stackIP)
			hops := strings.Split(strings.TrimSpace(out), "\n")[1:]
			require.Len(t, hops, 1, out)
			require.Regexp(t, `^ 1  10\.0\.0\.2( +[0-9.]+ ms){3}$`, hops[0])
		})
	}
}

func TestUDPEcho(t *testing.T) {
	up(t)
	c := talkTo(t, command(t, "nc", "-u", "-W", "2", stackIP, "7"))
	c.say("hello")
	c.hear("hello\n")
	c.say("again")
	c.hear("again\n")
	require.Zero(t, c.end())
}

func TestClosedPorts(t *testing.T) {
	eachKind(t, func(t *testing.T, n *node) {
		out, status := run(t, command(t, "nc", "-v", stackIP, "8"))
		require.Equal(t, 1, status)
		require.Contains(t, out, "Connection refused")

		_, err := net.DialTimeout("tcp", stackIP+":8", patience)
		require.ErrorIs(t, err, unix.ECONNREFUSED)

		c, err := net.Dial("udp", stackIP+":8")
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Write([]byte("anybody?"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, unix.ECONNREFUSED)
	})
}

// A recording can be read later.
func TestCaptureIsReadable(t *testing.T) {
	file := t.TempDir() + "/packets.pcapng"
	n := start(t, "--pcap", file)
	succeed(t, "ping", "-c", "3", "-i", "0.01", stackIP)
	require.Equal(t, "hi\n", n.succeed("", "echo", stackIP, "hi"))
	require.Equal(t, "hi\n", n.succeed("hi\n", "nc", stackIP, "7"))
	n.stop()
	out := succeed(t, "tshark", "-r", file, "-Y", "icmp.type == 0")
	require.Equal(t, 3, strings.Count(out, "Echo (ping) reply"), out)
}
