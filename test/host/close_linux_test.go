package host

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/socketapi"
)

// lingering is a connection with SetLinger.
type lingering interface {
	duplex
	SetLinger(sec int) error
}

// eachOrder runs test on four connections: opened by the host or by the stack, and closed first by the stack or by the host.
func eachOrder(t *testing.T, test func(t *testing.T, s *socketapi.Stack, first, second lingering)) {
	for name, connect := range map[string]func(*testing.T, *socketapi.Stack) (stack, host lingering){
		"host connects": hostConnects, "stack connects": stackConnects,
	} {
		t.Run(name+", stack first", func(t *testing.T) {
			s := plain(t)
			stack, host := connect(t, s)
			test(t, s, stack, host)
		})
		t.Run(name+", host first", func(t *testing.T) {
			s := plain(t)
			stack, host := connect(t, s)
			test(t, s, host, stack)
		})
	}
}

func hostConnects(t *testing.T, s *socketapi.Stack) (stack, host lingering) {
	l, err := s.Listen("tcp", ":5000")
	require.NoError(t, err)
	dialled, err := hostDial(5000)
	require.NoError(t, err)
	accepted, err := l.Accept()
	require.NoError(t, err)
	return bounded(t, accepted.(lingering)), bounded(t, dialled.(lingering))
}

func stackConnects(t *testing.T, s *socketapi.Stack) (stack, host lingering) {
	accepted := make(chan *net.TCPConn, 1)
	dialled, err := stackDial(s, hostServe(t, func(c *net.TCPConn) { accepted <- c }))
	require.NoError(t, err)
	return bounded(t, dialled.(lingering)), bounded(t, <-accepted)
}

// bounded sets a deadline on c, patience from now, and closes c when the test ends.
func bounded(t *testing.T, c lingering) lingering {
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// connections counts the connections of a stack, except those in TIME-WAIT.
func connections(s *socketapi.Stack) int {
	n := 0
	for _, so := range s.Sockets() {
		if so.Protocol == "tcp" && so.State != "LISTEN" && so.State != "TIME-WAIT" {
			n++
		}
	}
	return n
}

// gone waits until a stack has no connection left, except in TIME-WAIT.
func gone(t *testing.T, s *socketapi.Stack) {
	t.Helper()
	wait(t, "the connections are gone", func() bool { return connections(s) == 0 })
}

// An end that has closed its half still receives data: 4 MiB here.
func TestHalfClose(t *testing.T) {
	const size = 4 << 20
	eachOrder(t, func(t *testing.T, s *socketapi.Stack, first, second lingering) {
		_, err := first.Write([]byte("that was all"))
		require.NoError(t, err)
		require.NoError(t, first.CloseWrite())
		got, err := io.ReadAll(second)
		require.NoError(t, err)
		require.Equal(t, "that was all", string(got))

		failed := make(chan error, 1)
		go func() {
			_, err := io.Copy(second, stream(1, size))
			second.Close()
			failed <- err
		}()
		n, err := io.Copy(io.Discard, first)
		require.NoError(t, err)
		require.NoError(t, <-failed)
		require.EqualValues(t, size, n)
		require.NoError(t, first.Close())
		gone(t, s)
	})
}

// SO_LINGER 0: the other end's calls fail at once, and neither end keeps the connection in any state.
func TestAbruptClose(t *testing.T) {
	eachOrder(t, func(t *testing.T, s *socketapi.Stack, first, second lingering) {
		_, err := second.Write([]byte("never read"))
		require.NoError(t, err)
		require.NoError(t, first.SetLinger(0))
		require.NoError(t, first.Close())
		_, err = second.Read(make([]byte, 1))
		require.ErrorIs(t, err, unix.ECONNRESET)
		_, err = second.Write([]byte("anybody?"))
		require.ErrorIs(t, err, unix.EPIPE)
		require.NoError(t, second.Close())
		require.Zero(t, connections(s))
	})
}

// An end that closes before it has read everything resets the connection (RFC 2525 section 2.17), and the other end's write
// fails.
func TestCloseWithUnreadData(t *testing.T) {
	eachOrder(t, func(t *testing.T, s *socketapi.Stack, first, second lingering) {
		_, err := second.Write([]byte("never read"))
		require.NoError(t, err)
		_, err = first.Read(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, first.Close())
		_, err = io.Copy(second, stream(1, 1<<30))
		require.Error(t, err)
		gone(t, s)
	})
}

// When a client is killed, its connection ends, whether idle or receiving.
func TestKilledClient(t *testing.T) {
	s := plain(t)
	for name, port := range map[string]string{"idle": "7", "receiving": "19"} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "nc", "-d", stackIP, port)
			require.NoError(t, cmd.Start())
			wait(t, "the client is connected", func() bool { return connections(s) == 1 })
			require.NoError(t, cmd.Process.Signal(unix.SIGKILL))
			require.Error(t, cmd.Wait())
			gone(t, s)
		})
	}
}

// When a server on the host is killed, the stack's client reads the end of the stream or ECONNRESET, and its write fails.
func TestKilledServer(t *testing.T) {
	s := plain(t)
	server := serve(t, "tcp", 5000, command(t, "socat", "-b4096", "TCP-LISTEN:5000,reuseaddr", "PIPE"))
	c, err := stackDial(s, 5000)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	failed := make(chan error, 1)
	go func() {
		_, err := io.Copy(c, stream(1, 1<<30))
		failed <- err
	}()
	_, err = io.CopyN(io.Discard, c, 1<<20)
	require.NoError(t, err)
	require.NoError(t, server.cmd.Process.Signal(unix.SIGKILL))
	server.end()
	if _, err = io.Copy(io.Discard, c); err != nil {
		require.ErrorIs(t, err, unix.ECONNRESET)
	}
	err = <-failed
	require.True(t, errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE), "%v", err)
}
