package socketapi

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fixed cases of the comparison in test/sockdiff, which is random. Each value is that of Linux 6.18.

// A negative timeout does not wait at all; zero waits for ever.
func TestNegativeTimeout(t *testing.T) { // SOCK-033
	h := alone(t)
	fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
	h.set(fd, SOL_SOCKET, SO_RCVTIMEO, Timeval{-1, 0})
	_, err := h.recv(fd, 1, 0)
	require.Equal(t, syscall.EAGAIN, err)
	var v Timeval
	_, err = h.GetSockOpt(fd, SOL_SOCKET, SO_RCVTIMEO, &v)
	require.NoError(t, err)
	require.Zero(t, v)
	require.Equal(t, syscall.EDOM, h.SetSockOpt(fd, SOL_SOCKET, SO_RCVTIMEO, Timeval{0, -1}))
	h.set(fd, SOL_SOCKET, SO_RCVTIMEO, Timeval{1 << 62, 0})
	got := make(chan error)
	go func() { _, err := h.recv(fd, 1, 0); got <- err }()
	_, err = h.SendTo(fd, []byte("x"), 0, ap("127.0.0.1:7"))
	require.NoError(t, err)
	require.NoError(t, <-got, "a time beyond what the clock counts is for ever")
}

// A lone urgent byte is not readable, and is passed over by a read.
func TestLoneUrgentByte(t *testing.T) { // SOCK-022
	p := newTCPPair(t)
	client, server := p.connect()
	p.a.sendUrgent(client, "!")
	p.rest()
	require.Equal(t, POLLPRI, p.b.events(server, POLLIN|POLLPRI))
	n, err := p.b.Ioctl(server, FIONREAD, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	require.True(t, p.b.atMark(server))
	_, err = p.b.recv(server, 10, MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err)
	require.Zero(t, p.b.events(server, POLLIN|POLLPRI))
}

// FIONREAD counts, and MSG_WAITALL receives, up to the mark.
func TestUrgentMarkStops(t *testing.T) { // SOCK-020, SOCK-022
	for _, inline := range []int{0, 1} {
		p := newTCPPair(t)
		client, server := p.connect()
		p.b.set(server, SOL_SOCKET, SO_OOBINLINE, inline)
		p.a.sendUrgent(client, "abcd!")
		p.a.send(client, "ef")
		p.rest()
		n, err := p.b.Ioctl(server, FIONREAD, 0)
		require.NoError(t, err)
		require.Equal(t, 4+3*inline, n)
		got, err := p.b.recv(server, 7, MSG_WAITALL|MSG_DONTWAIT)
		require.NoError(t, err)
		require.Equal(t, "abcd", got)
		require.True(t, p.b.atMark(server))
		p.b.receives(server, "!ef"[1-inline:])
		require.False(t, p.b.atMark(server))
		_, err = p.b.recv(server, 1, MSG_OOB)
		require.Equal(t, syscall.EINVAL, err, "a read past the mark discards the urgent byte")
	}
}

// A second urgent byte removes the first, unread one from the head of the stream.
func TestUrgentTwice(t *testing.T) { // SOCK-022
	p := newTCPPair(t)
	client, server := p.connect()
	p.a.sendUrgent(client, "1")
	p.rest()
	p.a.sendUrgent(client, "2")
	p.rest()
	require.Equal(t, POLLPRI, p.b.events(server, POLLIN|POLLPRI))
	got, err := p.b.recv(server, 1, MSG_OOB)
	require.NoError(t, err)
	require.Equal(t, "2", got)
}

// Shutdown ends an attempt to connect and does not affect a listener's sending side; a listener can listen again after it.
func TestShutdownUnconnected(t *testing.T) { // SOCK-012, SOCK-023
	p := newTCPPair(t)
	client := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:9")))
	require.NoError(t, p.a.Shutdown(client, SHUT_WR))
	require.Equal(t, syscall.ECONNRESET, p.a.soError(client))
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:9")))

	l := p.listener
	require.NoError(t, p.b.Shutdown(l, SHUT_WR))
	require.Equal(t, 1, p.b.get(l, SOL_SOCKET, SO_ACCEPTCONN))
	for _, request := range []int{FIONREAD, TIOCOUTQ} {
		_, err := p.b.Ioctl(l, request, 0)
		require.Equal(t, syscall.EINVAL, err)
	}
	require.NoError(t, p.b.Shutdown(l, SHUT_RD))
	require.Equal(t, 0, p.b.get(l, SOL_SOCKET, SO_ACCEPTCONN))
	require.NoError(t, p.b.Listen(l, 8))
	p.connect()
}

// After SO_ERROR has returned the error of an attempt, connect returns ECONNABORTED once, and then can be called again.
func TestConnectAfterRefusal(t *testing.T) { // SOCK-010, SOCK-034
	p := newTCPPair(t)
	client := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	for range 2 {
		require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:9")))
		p.rest()
		require.Equal(t, syscall.ECONNREFUSED, p.a.soError(client))
		require.Equal(t, syscall.ECONNABORTED, p.a.Connect(client, ap("10.0.0.2:9")))
	}
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:7")))
	p.rest()
	require.NoError(t, p.a.Connect(client, ap("10.0.0.2:7")), "once")
	require.Equal(t, syscall.EISCONN, p.a.Connect(client, ap("10.0.0.2:7")))
}

// connect of AF_UNSPEC resets a connection, and the socket can be used anew.
func TestDisconnectStream(t *testing.T) { // SOCK-009
	p := newTCPPair(t)
	client, server := p.connect()
	require.NoError(t, p.a.Connect(client, ap0))
	p.rest()
	require.Equal(t, syscall.ECONNRESET, p.a.soError(client))
	require.Equal(t, syscall.ECONNRESET, p.b.soError(server))
	_, err := p.a.GetPeerName(client)
	require.Equal(t, syscall.ENOTCONN, err)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:7")))
	p.rest()
	require.NoError(t, p.a.Connect(client, ap("10.0.0.2:7")))
}

// 0.0.0.0 as a destination is the socket's own address, else the loopback's.
func TestUnspecifiedDestination(t *testing.T) { // SOCK-011
	var clk VirtualClock
	a, _ := pair(t, &clk)
	for own, want := range map[string]netip.Addr{"10.0.0.1:0": addrA, "0.0.0.0:0": loopback} {
		for _, typ := range []int{SOCK_DGRAM, SOCK_STREAM | SOCK_NONBLOCK} {
			l := a.socket(typ, 0)
			require.NoError(t, a.Bind(l, netip.AddrPortFrom(want, 0)))
			port := a.name(l).Port()
			if typ != SOCK_DGRAM {
				require.NoError(t, a.Listen(l, 1))
			}
			fd := a.bound(typ, own)
			if err := a.Connect(fd, netip.AddrPortFrom(netip.IPv4Unspecified(), port)); err != syscall.EINPROGRESS {
				require.NoError(t, err)
			}
			rest(0, a)
			peer, err := a.GetPeerName(fd)
			require.NoError(t, err)
			require.Equal(t, netip.AddrPortFrom(want, port), peer)
		}
	}
}

// A connected datagram socket sends from its own address, also to other peers; connected to port 0 it receives from every port of the peer.
func TestConnectedSource(t *testing.T) { // SOCK-009
	var clk VirtualClock
	a, _ := pair(t, &clk)
	server, fd := a.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	require.NoError(t, a.Connect(fd, ap("10.0.0.2:0")))
	require.Equal(t, addrA, a.name(fd).Addr())
	_, err := a.GetPeerName(fd)
	require.Equal(t, syscall.ENOTCONN, err)
	require.NoError(t, a.Connect(server, netip.AddrPortFrom(addrA, 0)), "receives from every port of it")
	_, err = a.SendTo(fd, []byte("x"), 0, ap("10.0.0.1:7"))
	require.NoError(t, err)
	rest(0, a)
	_, from, err := a.RecvFrom(server, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, a.name(fd), from)
}

// IP_OPTIONS are checked when they are set.
func TestBadIPOptions(t *testing.T) { // SOCK-043
	h := alone(t)
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM} {
		fd := h.socket(typ, 0)
		for _, bad := range [][]byte{{99, 9, 1}, {131, 3, 4}, {131, 7, 8, 10, 0, 0, 1}, {7, 7, 3, 0, 0, 0, 0}} {
			require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_IP, IP_OPTIONS, bad), "%v", bad)
		}
		h.set(fd, IPPROTO_IP, IP_OPTIONS, []byte{131, 7, 4, 10, 0, 0, 1})
	}
}

// With a multicast TTL of 0 datagrams reach members on this stack only.
func TestMulticastStays(t *testing.T) { // SOCK-044
	var clk VirtualClock
	a, b := pair(t, &clk)
	group := ap("224.0.0.9:7")
	for _, h := range []host{a, b} {
		fd := h.bound(SOCK_DGRAM, "0.0.0.0:7")
		h.set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: group.Addr().As4(), Ifindex: 2})
		if h == a {
			h.set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 0)
			require.Equal(t, 0, h.get(fd, IPPROTO_IP, IP_MULTICAST_TTL))
			_, err := h.SendTo(fd, []byte("x"), 0, group)
			require.NoError(t, err)
		}
		rest(0, a, b)
		want := POLLIN
		if h == b {
			want = 0
		}
		require.Equal(t, want, h.events(fd, POLLIN))
	}
}

// TCP_CONGESTION is a C string both ways.
func TestCongestionString(t *testing.T) { // SOCK-071
	h := alone(t)
	fd := h.socket(SOCK_STREAM, 0)
	h.set(fd, IPPROTO_TCP, TCP_CONGESTION, "reno\x00rest")
	b := make([]byte, 20)
	n, err := h.GetSockOpt(fd, IPPROTO_TCP, TCP_CONGESTION, b)
	require.NoError(t, err)
	require.Equal(t, "reno\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", string(b[:n]))
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_TCP, TCP_CONGESTION, ""))
}

// IP_MTU_DISCOVER reads back the value that was set, and a stream has IP_MTU too.
func TestPathMTUOptions(t *testing.T) { // SOCK-043
	p := newTCPPair(t)
	client, _ := p.connect()
	require.Equal(t, 1500, p.a.get(client, IPPROTO_IP, IP_MTU))
	for _, fd := range []int{client, p.a.socket(SOCK_DGRAM, 0)} {
		require.Equal(t, IP_PMTUDISC_WANT, p.a.get(fd, IPPROTO_IP, IP_MTU_DISCOVER))
		for v := IP_PMTUDISC_DONT; v <= IP_PMTUDISC_OMIT; v++ {
			p.a.set(fd, IPPROTO_IP, IP_MTU_DISCOVER, v)
			require.Equal(t, v, p.a.get(fd, IPPROTO_IP, IP_MTU_DISCOVER))
		}
		for _, bad := range []int{-1, IP_PMTUDISC_OMIT + 1} {
			require.Equal(t, syscall.EINVAL, p.a.SetSockOpt(fd, IPPROTO_IP, IP_MTU_DISCOVER, bad))
		}
	}
}

// Sizes of buffers are clamped.
func TestBufferClamps(t *testing.T) { // SOCK-032
	h := alone(t)
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM, SOCK_RAW} {
		fd := h.socket(typ, 253*(typ/SOCK_RAW))
		for name, least := range map[int]int{SO_RCVBUF: minReceiveBuffer, SO_SNDBUF: minSendBuffer} {
			for set, want := range map[int]int{0: least, 1: least, 10000: 20000, -1: maxBuffer} {
				h.set(fd, SOL_SOCKET, name, set)
				require.Equal(t, want, h.get(fd, SOL_SOCKET, name))
			}
		}
	}
}

// A stream ignores an address to send to, of any family; MSG_TRUNC discards the bytes that it receives.
func TestStreamFlags(t *testing.T) { // SOCK-018, SOCK-020
	p := newTCPPair(t)
	client, server := p.connect()
	_, err := p.a.SendTo(client, []byte("abcdef"), 0, ap("[::1]:7"))
	require.NoError(t, err)
	p.rest()
	b := []byte("....")
	n, err := p.b.Recv(server, b, MSG_TRUNC)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, "....", string(b))
	p.b.receives(server, "ef")
}

// MSG_MORE and UDP_CORK gather a datagram; SO_LINGER is stored with its time.
func TestCorkedDatagrams(t *testing.T) { // SOCK-071, UDP-001
	h := alone(t)
	server, fd := h.bound(SOCK_DGRAM, "127.0.0.1:7"), h.socket(SOCK_DGRAM, 0)
	send := func(text string, flags int) {
		_, err := h.SendTo(fd, []byte(text), flags, ap("127.0.0.1:7"))
		require.NoError(t, err)
	}
	send("one ", MSG_MORE)
	require.Zero(t, h.events(server, POLLIN))
	send("datagram", 0)
	h.receives(server, "one datagram")
	h.set(fd, IPPROTO_UDP, UDP_CORK, 1)
	send("the ", 0)
	send("next", 0)
	require.Zero(t, h.events(server, POLLIN))
	h.set(fd, IPPROTO_UDP, UDP_CORK, 0)
	h.receives(server, "the next")
	send("", MSG_MORE)
	_, err := h.SendTo(fd, make([]byte, 65536), MSG_MORE, ap("127.0.0.1:7"))
	require.Equal(t, syscall.EMSGSIZE, err)
	send("afresh", 0)
	h.receives(server, "afresh")

	h.set(fd, SOL_SOCKET, SO_LINGER, Linger{1, 5})
	h.set(fd, SOL_SOCKET, SO_LINGER, Linger{0, 9})
	var l Linger
	_, err = h.GetSockOpt(fd, SOL_SOCKET, SO_LINGER, &l)
	require.NoError(t, err)
	require.Equal(t, Linger{0, 5}, l)
}

// Whenever a stack is closed, the blocked and later calls of package net fail with net.ErrClosed.
func TestCallsOfClosedStack(t *testing.T) { // SOCK-029
	p := newTCPPair(t)
	l, err := p.b.Stack.Listen("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	client := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:80")))
	p.rest()
	p.b.sockets.shut() // Close has come so far when Accept takes the connection
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)

	require.NoError(t, p.a.Stack.Close())
	_, err = p.a.Stack.Dial("tcp", "10.0.0.2:7")
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.a.Stack.Listen("tcp", ":7")
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.a.Stack.ListenPacket("udp", ":7")
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, netError("dial", "tcp", nil, nil, os.NewSyscallError("connect", syscall.EBADF)), net.ErrClosed, "while it connects")
}
