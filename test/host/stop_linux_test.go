package host

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/socketapi"
)

// stopTime is how long the program is stopped. All retransmission timers would expire in the shorter time.
func stopTime() time.Duration {
	if long() {
		return 90 * time.Second
	}
	return 5 * time.Second
}

// stopped stops the program for d.
func (n *node) stopped(d time.Duration) {
	n.t.Helper()
	require.NoError(n.t, n.cmd.Process.Signal(unix.SIGSTOP))
	time.Sleep(d)
	require.NoError(n.t, n.cmd.Process.Signal(unix.SIGCONT))
}

// counter is one of the stack's counters.
func (n *node) counter(name string) uint64 {
	n.t.Helper()
	var rows []socketapi.Counter
	require.NoError(n.t, json.Unmarshal([]byte(n.succeed("", "netstat", "-s", "--json")), &rows))
	for _, r := range rows {
		if r.Name == name {
			return r.Value
		}
	}
	require.FailNow(n.t, "no counter", name)
	return 0
}

// awaits waits until count connections to the stack's port are in a state, by ss's name.
func (n *node) awaits(count int, port, state string) {
	n.t.Helper()
	wait(n.t, state, func() bool { return n.count(port, state) == count })
}

func (n *node) count(port, state string) (count int) {
	for line := range strings.Lines(n.succeed("", "netstat")) {
		if strings.HasPrefix(line, state+" ") && strings.Contains(line, stackIP+":"+port+" ") {
			count++
		}
	}
	return count
}

// client is a connection of the kernel to the stack, which can be made deaf: then arriving segments are lost.
type client struct {
	*net.TCPConn
	t   *testing.T
	raw syscall.RawConn
}

func newClient(t *testing.T, port string) *client {
	t.Helper()
	c, err := net.Dial("tcp", stackIP+":"+port)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	raw, err := c.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	return &client{c.(*net.TCPConn), t, raw}
}

func (c *client) deaf(on bool) { require.NoError(c.t, deafen(c.raw, on)) }

// deafen attaches a filter to a socket that drops every segment, or removes it.
func deafen(c syscall.RawConn, on bool) (err error) {
	program := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET}}
	controlErr := c.Control(func(fd uintptr) {
		if on {
			err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
		}
	})
	if controlErr != nil {
		return controlErr
	}
	return err
}

// say sends a line, and reads the answer if answered is set.
func (c *client) say(line string, answered bool) {
	c.t.Helper()
	_, err := io.WriteString(c, line+"\n")
	require.NoError(c.t, err)
	if answered {
		_, err = c.Read(make([]byte, 100))
		require.NoError(c.t, err)
	}
}

// ends reads to the end of the stream, which must be a FIN.
func (c *client) ends(what string) {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err := io.Copy(io.Discard, c)
	require.NoError(c.t, err, what)
}

// joking is a knock-knock joke before its punch line, at which the server closes.
func joking(t *testing.T) *client {
	t.Helper()
	c := newClient(t, "1414")
	c.say("Knock knock", true)
	c.say("Cargo", true)
	return c
}

// A stop during a transfer in both directions changes nothing: the stack absorbs the peer's retransmissions, and retransmits
// nothing.
func TestStopStream(t *testing.T) {
	n := up(t, "--debug-clock")
	c := newClient(t, "7")
	var sent, got atomic.Int64
	var enough atomic.Bool
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(tally{&got}, c)
		done <- err
	}()
	go func() {
		for block := make([]byte, 1<<20); !enough.Load(); {
			k, err := c.Write(block)
			sent.Add(int64(k))
			if err != nil {
				break // the reader fails, too
			}
		}
		c.CloseWrite()
	}()
	wait(t, "a part of it", func() bool { return got.Load() > 64<<20 })
	require.True(t, n.stoppedWithout("tcp.retransmit.segments", 5))
	enough.Store(true)
	require.NoError(t, <-done)
	require.Equal(t, sent.Load(), got.Load())
	require.Zero(t, n.counter("tcp.retransmit.timeouts"))
	require.Zero(t, n.counter("tcp.out.resets"))
}

// tally counts the bytes written to it.
type tally struct{ n *atomic.Int64 }

// Write implements io.Writer.
func (t tally) Write(b []byte) (int, error) {
	t.n.Add(int64(len(b)))
	return len(b), nil
}

// stoppedWithout stops the program until a counter is the same after the stop as before, tries times at most. A stop that
// affects the counter would do so every time; a busy machine does so now and then, because a peer that does not run for two
// round trips causes a tail loss probe.
func (n *node) stoppedWithout(counter string, tries int) bool {
	for range tries {
		before := n.counter(counter)
		n.stopped(stopTime())
		if n.counter(counter) == before {
			return true
		}
	}
	return false
}

// A SYN,ACK due for retransmission in a second is not retransmitted by a longer stop, and the connection is established.
func TestStopInSynReceived(t *testing.T) {
	n := up(t, "--debug-clock")
	raw := make(chan syscall.RawConn, 1)
	dialer := net.Dialer{Timeout: 3*stopTime() + patience, Control: func(_, _ string, c syscall.RawConn) error {
		raw <- c
		return deafen(c, true)
	}}
	dialed := make(chan error, 1)
	var c net.Conn
	go func() {
		var err error
		c, err = dialer.Dial("tcp", stackIP+":7")
		dialed <- err
	}()
	n.awaits(1, "7", "SYN-RECV")
	require.True(t, n.stoppedWithout("tcp.retransmit.timeouts", 3))
	require.NoError(t, deafen(<-raw, false))
	require.NoError(t, <-dialed)
	defer c.Close()
	(&client{TCPConn: c.(*net.TCPConn), t: t}).say("hello", true)
	require.Zero(t, n.counter("tcp.out.resets"))
}

// In every closing state, a stop longer than the timers that would end the state does not change it, and the connection closes
// normally afterwards.
func TestStopWhileClosing(t *testing.T) {
	n := up(t, "--debug-clock")

	finWait1, closing := joking(t), joking(t)
	for _, c := range []*client{finWait1, closing} {
		c.deaf(true)
		c.say("No, car go beep beep!", false)
	}
	n.awaits(2, "1414", "FIN-WAIT-1")
	require.NoError(t, closing.CloseWrite())
	n.awaits(1, "1414", "CLOSING")
	finWait2, timeWait := joking(t), joking(t)
	finWait2.say("No, car go beep beep!", false)
	n.awaits(1, "1414", "FIN-WAIT-2")
	timeWait.say("No, car go beep beep!", false)
	timeWait.ends("TIME-WAIT")
	require.NoError(t, timeWait.Close())
	n.awaits(1, "1414", "TIME-WAIT")
	lastAck := newClient(t, "7")
	lastAck.deaf(true)
	require.NoError(t, lastAck.CloseWrite())
	n.awaits(1, "7", "LAST-ACK")
	closeWait := newClient(t, "19")
	require.NoError(t, closeWait.CloseWrite())
	n.awaits(1, "19", "CLOSE-WAIT")

	n.stopped(stopTime())

	for _, at := range [][2]string{
		{"1414", "FIN-WAIT-1"}, {"1414", "CLOSING"}, {"1414", "FIN-WAIT-2"}, {"1414", "TIME-WAIT"}, {"7", "LAST-ACK"}, {"19", "CLOSE-WAIT"},
	} {
		require.Equal(t, 1, n.count(at[0], at[1]), "%v is over:\n%s", at, n.succeed("", "netstat"))
	}
	for what, c := range map[string]*client{"FIN-WAIT-1": finWait1, "CLOSING": closing, "LAST-ACK": lastAck} {
		c.deaf(false)
		c.ends(what)
	}
	finWait2.ends("FIN-WAIT-2")
	_, err := io.CopyN(io.Discard, closeWait, 4<<20)
	require.NoError(t, err, "CLOSE-WAIT")
	require.Zero(t, n.counter("tcp.out.resets"))
}
