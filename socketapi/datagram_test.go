package socketapi

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBindDatagram(t *testing.T) { // SOCK-001, SOCK-002, SOCK-004
	h := alone(t)
	fd := h.bound(SOCK_DGRAM, "127.0.0.1:0")
	got := h.name(fd)
	require.Equal(t, loopback, got.Addr())
	require.NotZero(t, got.Port())

	other := h.socket(SOCK_DGRAM, 0)
	require.Equal(t, syscall.EADDRINUSE, h.Bind(other, got))
	require.Equal(t, syscall.EADDRNOTAVAIL, h.Bind(other, ap("192.0.2.1:9")))
	require.Equal(t, syscall.EAFNOSUPPORT, h.Bind(other, ap("[::1]:9")))
	require.Equal(t, syscall.EINVAL, h.Bind(fd, ap("127.0.0.1:9")))
	require.Equal(t, ap("0.0.0.0:0"), h.name(other))
}

func TestConnectDatagram(t *testing.T) { // SOCK-013, SOCK-045
	h := alone(t)
	server, client := h.bound(SOCK_DGRAM, "127.0.0.1:7"), h.socket(SOCK_DGRAM, 0)
	_, err := h.GetPeerName(client)
	require.Equal(t, syscall.ENOTCONN, err)
	require.NoError(t, h.Connect(client, ap("127.0.0.1:7")))
	require.Zero(t, h.events(server, POLLIN), "connect must send nothing")
	peer, err := h.GetPeerName(client)
	require.NoError(t, err)
	require.Equal(t, ap("127.0.0.1:7"), peer)

	h.send(client, "hello")
	b := make([]byte, 10)
	n, from, err := h.RecvFrom(server, b, 0)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b[:n]))
	require.Equal(t, h.name(client), from)

	require.NoError(t, h.Connect(client, ap0))
	_, err = h.GetPeerName(client)
	require.Equal(t, syscall.ENOTCONN, err)
	_, err = h.Send(client, []byte("x"), 0)
	require.Equal(t, syscall.EDESTADDRREQ, err) // SOCK-015
}

func TestDatagramTooLarge(t *testing.T) { // SOCK-015
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	_, err := h.SendTo(fd, make([]byte, 70000), 0, ap("127.0.0.1:9"))
	require.Equal(t, syscall.EMSGSIZE, err)
}

func TestTruncation(t *testing.T) { // SOCK-020, SOCK-021
	h := alone(t)
	fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
	for range 3 {
		_, err := h.SendTo(fd, make([]byte, 100), 0, ap("127.0.0.1:7"))
		require.NoError(t, err)
	}
	b := make([]byte, 10)
	n, err := h.Recv(fd, b, MSG_PEEK|MSG_TRUNC)
	require.NoError(t, err)
	require.Equal(t, 100, n)

	n, m, err := h.RecvMsg(fd, b, 0)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, MSG_TRUNC, m.Flags)
	require.Equal(t, 100, m.Size)

	n, m, err = h.RecvMsg(fd, make([]byte, 100), MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, 100, n)
	require.Zero(t, m.Flags)

	n, err = h.Recv(fd, b, MSG_TRUNC)
	require.NoError(t, err)
	require.Equal(t, 100, n)
	_, err = h.Recv(fd, b, MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err)
}

func TestPacketInfo(t *testing.T) { // UDP-009, UDP-010, SOCK-043
	var clk VirtualClock
	a, b := pair(t, &clk)
	server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	a.set(client, IPPROTO_IP, IP_TTL, 9)
	a.set(client, IPPROTO_IP, IP_TOS, 0x28)
	_, err := a.SendMsg(client, []byte("x"), Message{Addr: ap("10.0.0.2:7"), Local: addrA}, 0)
	require.NoError(t, err)
	rest(0, a, b)
	_, m, err := b.RecvMsg(server, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, addrB, m.Local)
	require.Equal(t, addrA, m.Addr.Addr())
	require.Equal(t, "pipe1", m.Interface)
	require.EqualValues(t, 9, m.TTL)
	require.EqualValues(t, 0x28, m.TOS)
}

func TestPortUnreachable(t *testing.T) { // SOCK-034, SOCK-049
	var clk VirtualClock
	a, b := pair(t, &clk)
	fd := a.socket(SOCK_DGRAM, 0)
	require.NoError(t, a.Connect(fd, ap("10.0.0.2:9")))
	a.send(fd, "x")
	rest(0, a, b)
	require.Equal(t, POLLERR, a.events(fd, 0))
	require.Equal(t, syscall.ECONNREFUSED, a.soError(fd))
	require.Zero(t, a.soError(fd))

	a.send(fd, "x")
	rest(0, a, b)
	_, err := a.recv(fd, 10, 0)
	require.Equal(t, syscall.ECONNREFUSED, err)
}

func TestNoRoute(t *testing.T) { // SOCK-010
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	require.Equal(t, syscall.ENETUNREACH, h.Connect(fd, ap("192.0.2.1:7")))
}

func TestBroadcastNeedsOption(t *testing.T) { // SOCK-035
	var clk VirtualClock
	a, b := pair(t, &clk)
	server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	_, err := a.SendTo(client, []byte("x"), 0, ap("10.0.0.255:7"))
	require.Equal(t, syscall.EACCES, err)
	a.set(client, SOL_SOCKET, SO_BROADCAST, 1)
	_, err = a.SendTo(client, []byte("x"), 0, ap("10.0.0.255:7"))
	require.NoError(t, err)
	rest(0, a, b)
	b.receives(server, "x")
}

func TestMulticast(t *testing.T) { // SOCK-044
	var clk VirtualClock
	a, b := pair(t, &clk)
	server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	group := IPMreqn{Multiaddr: [4]byte{239, 1, 2, 3}, Ifindex: 2}
	send := func() {
		a.set(client, IPPROTO_IP, IP_MULTICAST_IF, addrA.AsSlice())
		_, err := a.SendTo(client, []byte("x"), 0, ap("239.1.2.3:7"))
		require.NoError(t, err)
		rest(0, a, b)
	}
	send()
	require.Zero(t, b.events(server, POLLIN))
	b.set(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, group)
	require.Equal(t, syscall.EADDRINUSE, b.SetSockOpt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, group))
	send()
	_, m, err := b.RecvMsg(server, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	require.EqualValues(t, 1, m.TTL)
	require.Equal(t, 1, a.get(client, IPPROTO_IP, IP_MULTICAST_TTL))
	a.set(client, IPPROTO_IP, IP_MULTICAST_TTL, 5)
	send()
	_, m, err = b.RecvMsg(server, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	require.EqualValues(t, 5, m.TTL)
	b.set(server, IPPROTO_IP, IP_DROP_MEMBERSHIP, group)
	send()
	require.Zero(t, b.events(server, POLLIN))
}

func TestReceiveTimeout(t *testing.T) { // SOCK-033
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
		h.set(fd, SOL_SOCKET, SO_RCVTIMEO, NewTimeval(100*time.Millisecond))
		var v Timeval
		_, err := h.GetSockOpt(fd, SOL_SOCKET, SO_RCVTIMEO, &v)
		require.NoError(t, err)
		require.Equal(t, 100*time.Millisecond, v.Duration())
		start := time.Now()
		_, err = h.recv(fd, 10, 0)
		require.Equal(t, syscall.EAGAIN, err)
		require.Equal(t, 100*time.Millisecond, time.Since(start))
	})
}

func TestCloseUnblocks(t *testing.T) { // SOCK-029
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
		result := make(chan error)
		go func() {
			_, err := h.recv(fd, 10, 0)
			result <- err
		}()
		synctest.Wait()
		require.NoError(t, h.Close(fd))
		require.Equal(t, syscall.EBADF, <-result)
		require.Equal(t, syscall.EBADF, h.Close(fd))
	})
}

func TestStackCloseUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
		received, polled := make(chan error), make(chan int)
		go func() {
			_, err := h.recv(fd, 10, 0)
			received <- err
		}()
		go func() {
			n, _ := h.Poll([]PollFd{{Fd: fd, Events: POLLIN}}, -1)
			polled <- n
		}()
		synctest.Wait()
		require.NoError(t, h.Stack.Close())
		require.Equal(t, syscall.EBADF, <-received)
		require.Equal(t, 1, <-polled)
		_, err := h.Socket(AF_INET, SOCK_DGRAM, 0)
		require.Equal(t, syscall.EBADF, err)
		require.NoError(t, h.Stack.Close())
	})
}

func TestThisHost(t *testing.T) { // 0.0.0.0 means this host, as on Linux
	h := alone(t)
	for typ, network := range map[int]string{SOCK_DGRAM: "udp", SOCK_STREAM: "tcp"} {
		fd := h.bound(typ, "127.0.0.1:7")
		if typ == SOCK_STREAM {
			require.NoError(t, h.Listen(fd, 4))
		}
		client := h.socket(typ, 0)
		require.NoError(t, h.Connect(client, ap("0.0.0.0:7")), network)
		peer, err := h.GetPeerName(client)
		require.NoError(t, err)
		require.Equal(t, ap("127.0.0.1:7"), peer)
		for _, addr := range []string{"0.0.0.0:7", ":7"} {
			c, err := h.Dial(network, addr)
			require.NoError(t, err)
			require.Equal(t, "127.0.0.1:7", c.RemoteAddr().String())
			require.NoError(t, c.Close())
		}
	}
}
