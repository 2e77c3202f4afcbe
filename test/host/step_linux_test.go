package host

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal opens a pseudoterminal and returns both ends: bytes written to user are typed on tty.
func terminal(t *testing.T) (user, tty *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { user.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { tty.Close() })
	return user, tty
}

// stepper is a `tunstack step` on a terminal.
type stepper struct {
	*talk
	seen int // holds so far
}

func (n *node) step(args ...string) *stepper {
	n.t.Helper()
	user, tty := terminal(n.t)
	cmd := n.command(append([]string{"step"}, args...)...)
	s := &stepper{talk: &talk{t: n.t, cmd: cmd, in: user}}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, &s.out, &s.out
	require.NoError(n.t, cmd.Start())
	s.hear("waiting for a segment")
	return s
}

var segmentHeld = regexp.MustCompile(`stack (?:sends|gets) in .*`)

// holds waits for the next segment at which the stack holds, and returns its line.
func (s *stepper) holds() string {
	s.t.Helper()
	var held []string
	wait(s.t, "a segment is held", func() bool {
		held = segmentHeld.FindAllString(s.out.String(), -1)
		return len(held) > s.seen
	})
	s.seen++
	return held[s.seen-1]
}

// tellJoke tells a knock-knock joke with telnet, and returns when the other side has closed.
func tellJoke(t *testing.T) (ended chan struct{}) {
	t.Helper()
	telnet := talkTo(t, command(t, "telnet", stackIP, "1414"))
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		for _, line := range [][2]string{{"Connected to", "Knock knock"}, {"Who's there?", "Cargo"}, {"Cargo who?", "No, car go beep beep!"}} {
			telnet.hear(line[0])
			telnet.say(line[1])
		}
		telnet.hear("Connection closed by foreign host.")
		telnet.end()
	}()
	t.Cleanup(func() { <-ended }) // the goroutine reports to t, also when the test has failed
	return ended
}

// Stepping through a telnet session, one hold longer than all retransmission timers, changes nothing: the stack absorbs the
// kernel's retransmissions, none of the stack's timers expires, and the dialogue ends normally.
func TestStep(t *testing.T) {
	n := up(t)
	for _, tt := range []struct {
		long  string // the segment of the long hold
		again bool   // the kernel waits for an answer there, and retransmits
	}{
		{`sends in SYN-RECEIVED: S\. `, true},
		{`gets in ESTABLISHED: P\. seq 1:14\(13\)`, true},
		{`gets in ESTABLISHED: .* ack 15 `, false}, // the answer
		{`gets in FIN-WAIT-1: `, false},
	} {
		s := n.step("--conn", ":1414")
		ended := tellJoke(t)
		stopped, long := false, regexp.MustCompile(tt.long)
		for !strings.Contains(s.out.String(), "-> TIME-WAIT") {
			if line := s.holds(); !stopped && long.MatchString(line) {
				time.Sleep(5 * time.Second / 2)
				stopped = true
			}
			s.say("")
		}
		s.say("q")
		require.Zero(t, s.end(), s.out.String())
		<-ended
		require.True(t, stopped, s.out.String())
		if tt.again {
			require.Contains(t, s.out.String(), "stack has it already: tcp.in.duplicate", tt.long)
		}
	}
	require.Zero(t, n.counter("tcp.retransmit.timeouts"))
	require.Zero(t, n.counter("tcp.out.resets"))
}

// While the stack holds, a second `tunstack step` fails, and netstat waits; when the stepping client is killed, the stack
// continues.
func TestStepGone(t *testing.T) {
	n := up(t)
	s := n.step()
	ended := tellJoke(t)
	s.holds()

	_, tty := terminal(t)
	other := n.command("step")
	other.Stdin = tty
	out, status := run(t, other)
	require.Equal(t, 1, status, out)
	require.Contains(t, out, "tunstack: another `tunstack step` already uses this stack\n")

	s.say("") // the connection's lock is free from here on
	s.holds()
	require.Contains(t, n.succeed("", "ifconfig"), "tun0")
	netstat := talkTo(t, n.command("netstat"))
	require.NoError(t, s.cmd.Process.Kill())
	s.end()
	require.Zero(t, netstat.end(), netstat.out.String())
	<-ended
}

// Without a terminal it never holds and prints everything.
func TestStepWithoutTerminal(t *testing.T) {
	n := up(t)
	s := talkTo(t, n.command("step", "--break", "state=ESTABLISHED"))
	s.hear("tracing")
	<-tellJoke(t)
	for _, line := range []string{"stack gets in LISTEN: S seq 0 ", "SYN-RECEIVED -> ESTABLISHED (RFC 9293 3.10.7.4 fifth)",
		"break: state=ESTABLISHED", "-> TIME-WAIT (RFC 9293 3.10.7.4 "} {
		s.hear(line)
	}
	require.NoError(t, s.cmd.Process.Signal(unix.SIGINT))
	require.Zero(t, s.end(), s.out.String())
}
