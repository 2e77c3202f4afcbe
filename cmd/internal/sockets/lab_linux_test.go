package sockets

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/poll"
	"tunstack/socketapi"
)

// patience bounds every wait; only a failing test waits that long.
const patience = 20 * time.Second

// lab is a stack whose sockets a client uses.
type lab struct {
	t      *testing.T
	stack  *socketapi.Stack
	client *Client
	events chan Response
	served chan error // the result of Serve
}

func newLab(t *testing.T) *lab {
	t.Helper()
	s, err := socketapi.New(socketapi.Config{})
	require.NoError(t, err)
	server, err := NewServer(s)
	require.NoError(t, err)
	l := &lab{t: t, stack: s, events: make(chan Response, 16), served: make(chan error, 1)}
	near, far := unixPair(t)
	l.client = NewClient(near, func(r Response) { l.events <- r })
	go func() { l.served <- server.Serve(far) }()
	t.Cleanup(func() {
		l.client.Close()
		require.NoError(t, <-l.served)
		server.Close()
		require.NoError(t, s.Close())
	})
	return l
}

// unixPair returns the two ends of a Unix socket.
func unixPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// program is a program's socket.
type program struct {
	*lab
	id  uint64
	end int // the program's descriptor; -1: none yet
}

// stream opens a stream socket.
func (l *lab) stream() *program {
	l.t.Helper()
	r, err := l.client.Do(Request{Op: OpSocket, Args: [3]int{unix.AF_INET, unix.SOCK_STREAM}}, -1)
	require.NoError(l.t, err)
	return &program{lab: l, id: r.Socket, end: -1}
}

// datagram opens a datagram socket; the program's end carries headers.
func (l *lab) datagram() *program {
	l.t.Helper()
	fds := l.pair(unix.SOCK_SEQPACKET)
	r, err := l.client.Do(Request{Op: OpSocket, Args: [3]int{unix.AF_INET, unix.SOCK_DGRAM}}, fds[1])
	require.NoError(l.t, err)
	require.NoError(l.t, unix.Close(fds[1]))
	return &program{lab: l, id: r.Socket, end: fds[0]}
}

func (l *lab) pair(typ int) [2]int {
	l.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(l.t, err)
	return fds
}

// do performs a call.
func (p *program) do(r Request) (Response, error) {
	r.Socket = p.id
	return p.client.Do(r, -1)
}

// must performs a call that succeeds.
func (p *program) must(r Request) Response {
	p.t.Helper()
	response, err := p.do(r)
	require.NoError(p.t, err)
	return response
}

// connect begins to connect, and attaches a pair that is stuffed until the outcome.
func (p *program) connect(to string) {
	p.t.Helper()
	_, err := p.do(Request{Op: OpConnect, Addr: netip.MustParseAddrPort(to)})
	if err != nil {
		require.Equal(p.t, unix.EINPROGRESS, err)
	}
	p.attach(100)
}

// attach gives the program its end, which holds some bytes of stuffing.
func (p *program) attach(stuffing int) {
	p.t.Helper()
	fds := p.pair(unix.SOCK_STREAM)
	if stuffing > 0 {
		_, err := unix.Write(fds[0], make([]byte, stuffing))
		require.NoError(p.t, err)
	}
	_, err := p.client.Do(Request{Op: OpAttach, Socket: p.id, Args: [3]int{stuffing}}, fds[1])
	require.NoError(p.t, err)
	require.NoError(p.t, unix.Close(fds[1]))
	p.end = fds[0]
	p.t.Cleanup(func() { unix.Close(p.end) })
}

// poll waits until the program's end shows an event, and returns all that it shows.
func (p *program) poll(events poll.Mask) poll.Mask {
	p.t.Helper()
	fds := []unix.PollFd{{Fd: int32(p.end), Events: int16(events)}}
	n, err := unix.Poll(fds, int(patience.Milliseconds()))
	require.NoError(p.t, err)
	require.NotZero(p.t, n, "nothing happens")
	fds[0].Events = unix.POLLIN | unix.POLLOUT | unix.POLLRDHUP
	_, err = unix.Poll(fds, 0)
	require.NoError(p.t, err)
	return poll.Mask(fds[0].Revents)
}

func (p *program) write(s string) {
	p.t.Helper()
	n, err := unix.Write(p.end, []byte(s))
	require.NoError(p.t, err)
	require.Len(p.t, s, n)
}

// read reads what comes next; "": the end of the stream.
func (p *program) read() (string, error) {
	p.t.Helper()
	p.poll(poll.In)
	b := make([]byte, 1<<16)
	n, err := unix.Read(p.end, b)
	return string(b[:max(n, 0)]), err
}

func (p *program) hears(want string) {
	p.t.Helper()
	got, err := p.read()
	require.NoError(p.t, err)
	require.Equal(p.t, want, got)
}

// option reads an option of type int.
func (p *program) option(level, name int) int {
	p.t.Helper()
	r := p.must(Request{Op: OpGetOption, Args: [3]int{level, name, 4}})
	require.Len(p.t, r.Data, 4)
	f := field{r.Data}
	return int(f.u32())
}

// peer is a TCP server of the stack for one connection.
func (l *lab) peer() (accept func() net.Conn, addr string) {
	l.t.Helper()
	listener, err := l.stack.Listen("tcp", "127.0.0.1:0")
	require.NoError(l.t, err)
	l.t.Cleanup(func() { listener.Close() })
	return func() net.Conn {
		l.t.Helper()
		c, err := listener.Accept()
		require.NoError(l.t, err)
		l.t.Cleanup(func() { c.Close() })
		require.NoError(l.t, c.SetDeadline(time.Now().Add(patience)))
		return c
	}, listener.Addr().String()
}

// receive reads n bytes from the peer's connection.
func (l *lab) receive(c net.Conn, want string) {
	l.t.Helper()
	b := make([]byte, len(want))
	for read := 0; read < len(b); {
		n, err := c.Read(b[read:])
		require.NoError(l.t, err)
		read += n
	}
	require.Equal(l.t, want, string(b))
}

// sockets is the number of sockets of the stack, without listeners and connections in TIME-WAIT.
func (l *lab) sockets() (n int) {
	for _, s := range l.stack.Sockets() {
		if s.State != "TIME-WAIT" && s.State != "LISTEN" {
			n++
		}
	}
	return n
}

// empty waits until the stack has no socket any more.
func (l *lab) empty() {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return l.sockets() == 0 }, patience, time.Millisecond)
}
