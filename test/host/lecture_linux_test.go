package host

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// These tests connect the stack to the programs of a lecture on networks, in testdata, as a student would write them.

// lecturePort is the port of their servers.
const lecturePort = 5000

// lecture is a way to run one of the programs by its name.
type lecture func(t *testing.T, name string, args ...string) *exec.Cmd

func python(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return command(t, "python3", append([]string{"testdata/" + name + ".py"}, args...)...)
}

func compiled(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, status := run(t, command(t, "cc", "-Wall", "-o", path, "testdata/"+name+".c"))
	require.Zero(t, status, out)
	return command(t, path, args...)
}

// eachLanguage gives a test a running stack and the programs in Python, then those in C.
func eachLanguage(t *testing.T, test func(t *testing.T, n *node, l lecture)) {
	for name, l := range map[string]lecture{"python": python, "c": compiled} {
		t.Run(name, func(t *testing.T) { test(t, up(t), l) })
	}
}

// client runs one of their clients with a line as its input, and returns its output.
func (l lecture) client(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	cmd := l(t, name, append([]string{stackIP}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, status := run(t, cmd)
	require.Zero(t, status, "%v\n%s", cmd, out)
	return out
}

// server starts one of their servers.
func (l lecture) server(t *testing.T, protocol, name string) *talk {
	t.Helper()
	return serve(t, protocol, lecturePort, l(t, name, strconv.Itoa(lecturePort)))
}

func TestLectureEcho(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *node, l lecture) {
		message := strings.Repeat("all work and no play ", 1000)
		require.Contains(t, l.client(t, "", "echo_client", "7", message), "From Server: "+message)
		l.server(t, "tcp", "echo_server")
		for range 3 {
			require.Equal(t, message, n.succeed(message, "echo", "--port", "5000", hostIP))
		}
	})
}

func TestLectureUpper(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *node, l lecture) {
		require.Contains(t, l.client(t, "a sentence\n", "upper_client", "12000"), "From Server: A SENTENCE\n")
		l.server(t, "tcp", "upper_server")
		require.Equal(t, "A SENTENCE\n", n.succeed("a sentence\n", "nc", hostIP, "5000"))
	})
}

func TestLectureUpperUDP(t *testing.T) {
	n := up(t)
	require.Contains(t, lecture(python).client(t, "a sentence\n", "upper_udp_client", "54321"), "A SENTENCE\n")
	lecture(python).server(t, "udp", "upper_udp_server")
	require.Equal(t, "A SENTENCE\n", n.succeed("a sentence\n", "nc", "-u", hostIP, "5000"))
}

func TestLectureKnock(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *node, l lecture) {
		require.Equal(t, "server: Who's there?\nserver: Lettuce who?\n", l.client(t, "", "knock_client", "1414"))
		server := l.server(t, "tcp", "knock_server")
		for range 3 { // jokes
			dialogue := n.succeed("", "knock", "--port", "5000", hostIP)
			lines := strings.Split(strings.TrimSpace(dialogue), "\n")
			require.Len(t, lines, 5, dialogue)
			name, punchLine := lines[2], lines[4]
			require.Equal(t, []string{"client: Knock knock", "server: Who's there?", name,
				strings.Replace(name, "client", "server", 1) + " who?", punchLine}, lines)
			server.hear(strings.Join([]string{lines[0], name, punchLine}, "\n"))
		}
	})
}

// The echo service answers all pings, and a service that loses some answers the others.
func TestLecturePinger(t *testing.T) {
	for name, l := range map[string]lecture{"python": python, "c": compiled} {
		t.Run(name, func(t *testing.T) {
			s := plain(t)
			out := l.client(t, "", "pinger", "7")
			for i := 1; i <= 10; i++ {
				require.Regexp(t, fmt.Sprintf(`(?m)^Ping %d [0-9.]+ RTT [0-9.]+ s$`, i), out)
			}
			loseThird(t, s, lecturePort)
			out = l.client(t, "", "pinger", strconv.Itoa(lecturePort))
			answers := strings.Split(strings.TrimSpace(out), "\n")
			require.Len(t, answers, 10, out)
			for i, a := range answers {
				require.Equal(t, i == 2, a == "Request timed out", out)
			}
		})
	}
}

// loseThird answers datagrams to a port of the stack, except the third.
func loseThird(t *testing.T, s *socketapi.Stack, port int) {
	t.Helper()
	p, err := s.ListenPacket("udp", fmt.Sprintf(":%d", port))
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	go func() {
		b := make([]byte, 2048)
		for i := 1; ; i++ {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			if i != 3 {
				p.WriteTo(b[:n], from)
			}
		}
	}()
}

// The stack pings the lecture's server, which loses some: their reads time out.
func TestLecturePingerServer(t *testing.T) {
	s := plain(t)
	lecture(python).server(t, "udp", "pinger_server")
	c, err := s.Dial("udp", fmt.Sprintf("%s:%d", hostIP, lecturePort))
	require.NoError(t, err)
	defer c.Close()
	lost := 0
	for i := range 10 {
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Second)))
		_, err := fmt.Fprintf(c, "ping %d", i)
		require.NoError(t, err)
		b := make([]byte, 1024)
		n, err := c.Read(b)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			lost++
			continue
		}
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("PING %d", i), string(b[:n]))
	}
	require.Equal(t, 3, lost, "the server's random numbers are the same every time")
}
