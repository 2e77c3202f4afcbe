package socketapi

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBindStream(t *testing.T) { // SOCK-001, SOCK-002, SOCK-004, SOCK-006
	p := newTCPPair(t)
	fd := p.b.socket(SOCK_STREAM, 0)
	require.Equal(t, syscall.EADDRINUSE, p.b.Bind(fd, ap("10.0.0.2:7")))
	require.Equal(t, syscall.EADDRNOTAVAIL, p.b.Bind(fd, ap("192.0.2.1:7")))
	require.Equal(t, syscall.EAFNOSUPPORT, p.b.Bind(fd, ap("[::1]:7")))
	require.NoError(t, p.b.Bind(fd, ap("0.0.0.0:0")))
	require.NotZero(t, p.b.name(fd).Port())
	require.Equal(t, syscall.EINVAL, p.b.Bind(fd, ap("0.0.0.0:0")))
	require.Equal(t, SOCK_STREAM, p.b.get(fd, SOL_SOCKET, SO_TYPE))
	require.Equal(t, 0, p.b.get(fd, SOL_SOCKET, SO_ACCEPTCONN)) // SOCK-036
	require.Equal(t, 1, p.b.get(p.listener, SOL_SOCKET, SO_ACCEPTCONN))

	client, _ := p.connect()
	require.Equal(t, syscall.EINVAL, p.a.Listen(client, 1))
}

func TestEphemeralPorts(t *testing.T) { // SOCK-005
	h := alone(t)
	seen := map[uint16]bool{}
	for range 200 {
		port := h.name(h.bound(SOCK_STREAM, "0.0.0.0:0")).Port()
		require.GreaterOrEqual(t, port, uint16(49152))
		require.False(t, seen[port])
		seen[port] = true
	}
	var cfg Config
	cfg.TCP.PortLow, cfg.TCP.PortHigh = 2000, 2001
	h = newHost(t, cfg)
	for range 2 {
		require.Contains(t, []uint16{2000, 2001}, h.name(h.bound(SOCK_STREAM, "0.0.0.0:0")).Port())
	}
	require.Equal(t, syscall.EADDRINUSE, h.Bind(h.socket(SOCK_STREAM, 0), ap("0.0.0.0:0")))
}

func TestConnectAndAccept(t *testing.T) { // SOCK-008, SOCK-009, SOCK-011, SOCK-012, SOCK-045, SOCK-048
	p := newTCPPair(t)
	_, _, err := p.b.Accept(p.listener)
	require.Equal(t, syscall.EAGAIN, err)
	require.Zero(t, p.b.events(p.listener, POLLIN))

	first := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	_, _, err = p.a.Accept(first)
	require.Equal(t, syscall.EINVAL, err)
	_, err = p.a.GetPeerName(first)
	require.Equal(t, syscall.ENOTCONN, err)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(first, ap("10.0.0.2:7")))
	require.Equal(t, syscall.EALREADY, p.a.Connect(first, ap("10.0.0.2:7")))
	require.Zero(t, p.a.events(first, POLLOUT))
	p.rest()
	require.Equal(t, POLLOUT, p.a.events(first, POLLOUT))
	require.Zero(t, p.a.soError(first))
	require.NoError(t, p.a.Connect(first, ap("10.0.0.2:7")), "as Linux: once it tells of the success")
	require.Equal(t, syscall.EISCONN, p.a.Connect(first, ap("10.0.0.2:7")))
	second := p.dial()

	require.Equal(t, POLLIN, p.b.events(p.listener, POLLIN))
	for _, client := range []int{first, second} {
		fd, peer, err := p.b.Accept(p.listener)
		require.NoError(t, err)
		require.Equal(t, p.a.name(client), peer)
		got, err := p.b.GetPeerName(fd)
		require.NoError(t, err)
		require.Equal(t, peer, got)
		require.Equal(t, ap("10.0.0.2:7"), p.b.name(fd))
	}
	_, _, err = p.b.Accept(p.listener)
	require.Equal(t, syscall.EAGAIN, err)
}

func TestConnectFails(t *testing.T) { // SOCK-010, SOCK-034, SOCK-049
	p := newTCPPair(t)
	closed := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(closed, ap("10.0.0.2:9")))
	silent := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(silent, ap("10.0.0.99:9")))
	require.Equal(t, syscall.ENETUNREACH, p.a.Connect(p.a.socket(SOCK_STREAM, 0), ap("192.0.2.1:9")))
	p.rest()
	require.Equal(t, POLLERR, p.a.events(closed, 0)&POLLERR)
	require.Equal(t, syscall.ECONNREFUSED, p.a.soError(closed))
	require.Zero(t, p.a.soError(closed))
	p.after(10 * time.Minute)
	require.Equal(t, syscall.ETIMEDOUT, p.a.soError(silent))
}

func TestConnectUnreachableNeighbour(t *testing.T) { // SOCK-010
	var clk VirtualClock
	a, _ := tapPair(t, &clk, addrB)
	fd := a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(t, syscall.EINPROGRESS, a.Connect(fd, ap("10.0.0.99:9")))
	rest(clk.Now()+10*time.Second, a)
	require.Equal(t, syscall.EHOSTUNREACH, a.soError(fd))
}

func TestBacklog(t *testing.T) { // SOCK-007
	p := newTCPPair(t)
	require.NoError(t, p.b.Close(p.listener))
	p.listener = p.listen(2)
	var clients []int
	for range 5 {
		clients = append(clients, p.dial())
	}
	accepted := 0
	for ; p.b.events(p.listener, POLLIN) != 0; accepted++ {
		p.accept()
	}
	require.Less(t, accepted, 5)
	require.GreaterOrEqual(t, accepted, 2)
	p.after(10 * time.Second) // the others' SYNs are sent again
	for ; p.b.events(p.listener, POLLIN) != 0; accepted++ {
		p.accept()
	}
	p.after(30 * time.Second)
	for ; p.b.events(p.listener, POLLIN) != 0; accepted++ {
		p.accept()
	}
	require.Equal(t, 5, accepted)
	for _, fd := range clients {
		require.Zero(t, p.a.soError(fd))
	}
}

func TestStreamData(t *testing.T) { // SOCK-017, SOCK-018, SOCK-020, SOCK-023
	p := newTCPPair(t)
	client, server := p.connect()
	p.a.send(client, "hello ")
	p.a.send(client, "world")
	require.NoError(t, p.a.Shutdown(client, SHUT_WR))
	p.rest()
	got, err := p.b.recv(server, 4, MSG_PEEK)
	require.NoError(t, err)
	require.Equal(t, "hell", got)
	got, err = p.b.recv(server, 4, 0)
	require.NoError(t, err)
	require.Equal(t, "hell", got)
	got, err = p.b.recv(server, 100, MSG_PEEK|MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, "o world", got, "the stream ends")
	got, err = p.b.recv(server, 100, MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, "o world", got)
	for range 3 {
		p.b.receives(server, "")
	}
	p.b.send(server, "reply")
	p.rest()
	p.a.receives(client, "reply")
}

func TestStreamErrors(t *testing.T) { // SOCK-014, SOCK-019, SOCK-023
	p := newTCPPair(t)
	idle := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	_, err := p.a.recv(idle, 1, 0)
	require.Equal(t, syscall.ENOTCONN, err)
	_, err = p.a.Send(idle, []byte("x"), 0)
	require.Contains(t, []error{syscall.ENOTCONN, syscall.EPIPE}, err)
	require.Equal(t, syscall.ENOTCONN, p.a.Shutdown(idle, SHUT_WR))

	client, server := p.connect()
	_, err = p.a.recv(client, 1, 0)
	require.Equal(t, syscall.EAGAIN, err)
	require.NoError(t, p.a.Shutdown(client, SHUT_WR))
	_, err = p.a.Send(client, []byte("x"), MSG_NOSIGNAL)
	require.Equal(t, syscall.EPIPE, err)

	p.b.set(server, SOL_SOCKET, SO_LINGER, Linger{1, 0})
	require.NoError(t, p.b.Close(server)) // SOCK-027
	p.rest()
	require.Equal(t, POLLERR|POLLHUP, p.a.events(client, 0)) // SOCK-049
	_, err = p.a.recv(client, 1, 0)
	require.Equal(t, syscall.ECONNRESET, err)
	p.a.receives(client, "")
}

func TestShutdownRead(t *testing.T) { // SOCK-024
	p := newTCPPair(t)
	client, server := p.connect()
	require.NoError(t, p.a.Shutdown(client, SHUT_RD))
	p.a.receives(client, "")
	p.a.send(client, "still")
	p.rest()
	p.b.receives(server, "still")
	require.NoError(t, p.b.Shutdown(server, SHUT_RDWR))
	p.b.receives(server, "")
	_, err := p.b.Send(server, []byte("x"), 0)
	require.Equal(t, syscall.EPIPE, err)
}

func TestSendBufferFills(t *testing.T) { // SOCK-016, SOCK-048
	p := newTCPPair(t)
	client, server := p.connect()
	data := make([]byte, 64<<20)
	sent := 0
	for p.a.events(client, POLLOUT) != 0 {
		n, err := p.a.Send(client, data[:1<<20], 0)
		require.NoError(t, err)
		sent += n
		p.rest()
	}
	require.Less(t, sent, len(data))
	_, err := p.a.Send(client, data, 0)
	require.Equal(t, syscall.EAGAIN, err)
	out, err := p.a.Ioctl(client, TIOCOUTQ, 0)
	require.NoError(t, err)
	require.Positive(t, out)
	got := 0
	for got < sent {
		n, err := p.b.Recv(server, data, 0)
		require.NoError(t, err)
		got += n
		p.after(time.Millisecond)
	}
	require.Equal(t, sent, got)
	require.Equal(t, POLLOUT, p.a.events(client, POLLOUT))
}

func TestCloseDelivers(t *testing.T) { // SOCK-025
	p := newTCPPair(t)
	client, server := p.connect()
	text := strings.Repeat("x", 100000)
	p.a.send(client, text)
	require.NoError(t, p.a.Close(client))
	got := ""
	for {
		p.after(time.Millisecond)
		s, err := p.b.recv(server, 65536, 0)
		require.NoError(t, err)
		if s == "" {
			break
		}
		got += s
	}
	require.Equal(t, len(text), len(got))
}

func TestCloseWithUnreadData(t *testing.T) { // SOCK-026
	p := newTCPPair(t)
	client, server := p.connect()
	p.a.send(client, "unread")
	p.rest()
	require.NoError(t, p.b.Close(server))
	p.rest()
	_, err := p.a.recv(client, 10, 0)
	require.Equal(t, syscall.ECONNRESET, err)

	client, server = p.connect()
	require.NoError(t, p.b.Close(server))
	p.rest()
	p.a.send(client, "late")
	p.rest()
	require.Equal(t, syscall.EPIPE, func() error { _, err := p.a.Send(client, []byte("x"), 0); return err }())
}

func TestCloseListener(t *testing.T) { // SOCK-028
	p := newTCPPair(t)
	client := p.dial()
	require.NoError(t, p.b.Close(p.listener))
	p.rest()
	_, err := p.a.recv(client, 1, 0)
	require.Equal(t, syscall.ECONNRESET, err)
}

func TestReuseAddress(t *testing.T) { // SOCK-030
	p := newTCPPair(t)
	require.NoError(t, p.b.Close(p.listener))
	p.listener = p.b.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	p.b.set(p.listener, SOL_SOCKET, SO_REUSEADDR, 1)
	require.NoError(t, p.b.Bind(p.listener, ap("0.0.0.0:7")))
	require.NoError(t, p.b.Listen(p.listener, 1))
	_, server := p.connect()
	require.NoError(t, p.b.Close(server)) // closes first: TIME-WAIT is at b
	require.NoError(t, p.b.Close(p.listener))
	p.rest()
	bind := func(reuse int) error {
		fd := p.b.socket(SOCK_STREAM, 0)
		p.b.set(fd, SOL_SOCKET, SO_REUSEADDR, reuse)
		require.Equal(t, reuse, p.b.get(fd, SOL_SOCKET, SO_REUSEADDR))
		err := p.b.Bind(fd, ap("0.0.0.0:7"))
		if err == nil {
			err = p.b.Listen(fd, 1)
		}
		return err
	}
	require.Equal(t, syscall.EADDRINUSE, bind(0))
	require.NoError(t, bind(1))
	require.Equal(t, syscall.EADDRINUSE, bind(1), "not from an active listener")
}

func TestReusePort(t *testing.T) { // SOCK-031
	p := newTCPPair(t)
	require.NoError(t, p.b.Close(p.listener))
	var listeners []int
	for range 2 {
		fd := p.b.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
		p.b.set(fd, SOL_SOCKET, SO_REUSEPORT, 1)
		require.NoError(t, p.b.Bind(fd, ap("0.0.0.0:7")))
		require.NoError(t, p.b.Listen(fd, 64))
		listeners = append(listeners, fd)
	}
	for range 32 {
		p.dial()
	}
	for _, fd := range listeners {
		require.NotZero(t, p.b.events(fd, POLLIN), "each has its share")
	}
}

func TestPollHalfClose(t *testing.T) { // SOCK-048, SOCK-050
	p := newTCPPair(t)
	client, server := p.connect()
	all := POLLIN | POLLOUT | POLLRDHUP
	require.Equal(t, POLLOUT, p.b.events(server, all))
	require.NoError(t, p.a.Shutdown(client, SHUT_WR))
	p.rest()
	require.Equal(t, all, p.b.events(server, all))
	require.Equal(t, POLLIN, p.b.events(server, POLLIN))
	require.NoError(t, p.b.Shutdown(server, SHUT_WR))
	p.rest()
	require.Equal(t, POLLHUP, p.b.events(server, 0))
	r, _, _, err := p.b.Select([]int{server}, nil, nil, 0) // SOCK-051
	require.NoError(t, err)
	require.Equal(t, []int{server}, r)
}

func TestSocketsTable(t *testing.T) {
	p := newTCPPair(t)
	client, _ := p.connect()
	p.a.send(client, "x")
	p.rest()
	require.ElementsMatch(t, []SocketInfo{
		{"tcp", "LISTEN", 0, 8, ap("0.0.0.0:7"), ap("0.0.0.0:0"), nil},
		{"tcp", "ESTAB", 1, 0, ap("10.0.0.2:7"), p.a.name(client), nil},
	}, p.b.Sockets())
}
