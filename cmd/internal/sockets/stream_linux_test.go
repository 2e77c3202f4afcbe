package sockets

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/poll"
)

// connected is a program's stream and the connection of its peer.
func connected(t *testing.T) (*program, net.Conn) {
	t.Helper()
	l := newLab(t)
	accept, addr := l.peer()
	p := l.stream()
	p.connect(addr)
	require.Equal(t, poll.Out, p.poll(poll.Out))
	return p, accept()
}

// Data go both ways, and the stuffing is none of them.
func TestStream(t *testing.T) {
	p, c := connected(t)
	require.Zero(t, p.option(unix.SOL_SOCKET, unix.SO_ERROR))
	require.Equal(t, c.RemoteAddr().String(), p.must(Request{Op: OpName}).Addr.String())
	require.Equal(t, c.LocalAddr().String(), p.must(Request{Op: OpPeer}).Addr.String())
	p.write("hello")
	p.receive(c, "hello")
	_, err := c.Write([]byte("world"))
	require.NoError(t, err)
	p.hears("world")
}

// More data than all buffers hold arrive whole in both directions.
func TestStreamOfManyBytes(t *testing.T) {
	p, c := connected(t)
	text := strings.Repeat("all work and no play ", 1<<17)
	require.NoError(t, unix.SetNonblock(p.end, false))
	go func() {
		_, _ = io.Copy(c, io.LimitReader(c, int64(len(text)))) // an echo
	}()
	go func() {
		for rest := []byte(text); len(rest) > 0; {
			n, err := unix.Write(p.end, rest)
			if err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	var got strings.Builder
	for got.Len() < len(text) {
		s, err := p.read()
		require.NoError(t, err)
		got.WriteString(s)
	}
	require.True(t, text == got.String())
}

// A refused connection makes the program's end readable with an error, as poll(2) shows one of TCP; SO_ERROR has the reason once.
func TestStreamRefused(t *testing.T) {
	l := newLab(t)
	p := l.stream()
	p.connect("127.0.0.1:1")
	require.Equal(t, poll.In|poll.Out|poll.Err|poll.Hup|poll.RdHup, p.poll(poll.Out))
	_, err := p.read()
	require.Equal(t, unix.ECONNRESET, err)
	require.EqualValues(t, unix.ECONNREFUSED, p.option(unix.SOL_SOCKET, unix.SO_ERROR))
	require.Zero(t, p.option(unix.SOL_SOCKET, unix.SO_ERROR))
	p.must(Request{Op: OpClose})
	l.empty()
}

// After a refused connection the outcome is the result of a second call, and a third one tries again.
func TestStreamConnectsAgain(t *testing.T) {
	l := newLab(t)
	p := l.stream()
	p.connect("127.0.0.1:1")
	p.poll(poll.Err)
	_, err := p.do(Request{Op: OpConnect, Addr: netip.MustParseAddrPort("127.0.0.1:1")})
	require.Equal(t, unix.ECONNREFUSED, err)
	accept, addr := l.peer()
	p.connect(addr)
	require.Equal(t, poll.Out, p.poll(poll.Out))
	p.write("again")
	p.receive(accept(), "again")
}

// A FIN in each direction is the end of that direction only.
func TestStreamHalfCloses(t *testing.T) {
	p, c := connected(t)
	p.write("last")
	p.must(Request{Op: OpShutdown, Args: [3]int{unix.SHUT_WR}})
	require.NoError(t, unix.Shutdown(p.end, unix.SHUT_WR))
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "last", string(b))
	_, err = c.Write([]byte("answer"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	p.hears("answer")
	p.hears("")
	require.Equal(t, poll.In|poll.Out|poll.Hup|poll.RdHup, p.poll(poll.In))
}

// A program may shut both directions down and keep its socket; what it has written is delivered.
func TestStreamShutsBothDirections(t *testing.T) {
	p, c := connected(t)
	p.write("last")
	p.must(Request{Op: OpShutdown, Args: [3]int{unix.SHUT_RDWR}})
	require.NoError(t, unix.Shutdown(p.end, unix.SHUT_RDWR))
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "last", string(b))
	require.NotEmpty(t, p.must(Request{Op: OpName}).Addr)
	p.must(Request{Op: OpClose})
	require.NoError(t, c.Close())
	p.empty()
}

// The close of the program's end closes the connection behind what it has written.
func TestStreamCloses(t *testing.T) {
	p, c := connected(t)
	p.write("last")
	require.NoError(t, unix.Close(p.end))
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "last", string(b))
	require.NoError(t, c.Close())
	_, err = p.do(Request{Op: OpName})
	require.Equal(t, unix.EBADF, err)
}

// A program that closes its end with data unread, or with SO_LINGER of time 0, resets the connection.
func TestStreamAborts(t *testing.T) {
	for name, prepare := range map[string]func(p *program, c net.Conn){
		"unread": func(p *program, c net.Conn) {
			_, err := c.Write([]byte("unread"))
			require.NoError(t, err)
			p.poll(poll.In)
		},
		"linger": func(p *program, _ net.Conn) {
			value := binary.NativeEndian.AppendUint32(nil, 1)
			p.must(Request{Op: OpSetOption, Args: [3]int{unix.SOL_SOCKET, unix.SO_LINGER}, Data: append(value, 0, 0, 0, 0)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := connected(t)
			prepare(p, c)
			require.NoError(t, unix.Close(p.end))
			_, err := io.ReadAll(c)
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
	}
}

// The server tells the client of a reset, whose program then sees it, and SO_ERROR has the reason.
func TestStreamIsReset(t *testing.T) {
	p, c := connected(t)
	p.write("unread")
	require.NoError(t, c.(interface{ SetLinger(int) error }).SetLinger(0))
	require.NoError(t, c.Close())
	event := <-p.events
	require.Equal(t, Response{Op: OpReset, Socket: p.id}, Response{Op: event.Op, Socket: event.Socket})
	p.write("a byte that stays unread")
	p.must(Request{Op: OpReset})
	require.Equal(t, poll.In|poll.Out|poll.Err|poll.Hup|poll.RdHup, p.poll(poll.Err))
	_, err := p.read()
	require.Equal(t, unix.ECONNRESET, err)
	require.EqualValues(t, unix.ECONNRESET, p.option(unix.SOL_SOCKET, unix.SO_ERROR))
	require.Zero(t, p.option(unix.SOL_SOCKET, unix.SO_ERROR))
}

// listener is a program's listener, and its address.
func (l *lab) listener() (*program, string) {
	l.t.Helper()
	p := l.stream()
	p.must(Request{Op: OpBind, Addr: netip.MustParseAddrPort("127.0.0.1:0")})
	p.attach(0)
	p.must(Request{Op: OpListen, Args: [3]int{5}})
	return p, p.must(Request{Op: OpName}).Addr.String()
}

// A listener is readable as long as a connection waits. One that could not be delivered comes again.
func TestListener(t *testing.T) {
	l := newLab(t)
	p, addr := l.listener()
	_, err := p.do(Request{Op: OpAccept})
	require.Equal(t, unix.EAGAIN, err)
	for range 2 {
		c, err := l.stack.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
	}
	p.poll(poll.In)
	first := p.must(Request{Op: OpAccept})
	require.False(t, first.Empty)
	second := p.must(Request{Op: OpAccept})
	require.True(t, second.Empty)
	require.NotEqual(t, first.Socket, second.Socket)
	p.hears("\x00")
	p.must(Request{Op: OpUnaccept, Args: [3]int{int(second.Socket)}, Addr: second.Addr})
	p.hears("\x00")
	again := p.must(Request{Op: OpAccept})
	require.Equal(t, second.Socket, again.Socket)
	require.Equal(t, second.Addr, again.Addr)
	require.True(t, again.Empty)
}

// An accepted connection has its data from before it has a pair.
func TestAcceptedStream(t *testing.T) {
	l := newLab(t)
	listener, addr := l.listener()
	c, err := l.stack.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("early"))
	require.NoError(t, err)
	listener.poll(poll.In)
	p := &program{lab: l, id: listener.must(Request{Op: OpAccept}).Socket}
	p.attach(0)
	p.hears("early")
	p.write("answer")
	l.receive(c, "answer")
}

// The close of a listener's end frees its port, and resets connections that wait.
func TestListenerCloses(t *testing.T) {
	l := newLab(t)
	p, addr := l.listener()
	c, err := l.stack.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, unix.Close(p.end))
	_, err = io.ReadAll(c)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	again, err := l.stack.Listen("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

// When the client ends, its sockets are closed.
func TestClientEnds(t *testing.T) {
	p, c := connected(t)
	listener, _ := p.listener()
	p.datagram()
	require.NoError(t, p.client.Close())
	_, err := p.do(Request{Op: OpName})
	require.Equal(t, unix.ENETDOWN, err)
	_, err = io.ReadAll(c)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	listener.poll(poll.Hup)
}
