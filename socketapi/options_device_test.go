package socketapi

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// twoDevices is a stack with two devices, each a tunnel to a peer; both peers have the same address.
func twoDevices(t *testing.T) (h host, peers [2]host) {
	var clk VirtualClock
	cfg := Config{Clock: &clk}
	for i, own := range []string{"10.0.0.1", "10.1.0.1"} {
		near, far := tun.Pipe(1500, tun.TUN, packet.Features{})
		peer := device(far, netip.MustParseAddr("10.9.9.9"))
		peer.Clock = &clk
		peers[i] = newHost(t, peer)
		require.NoError(t, peers[i].AddRoute(Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Interface: peers[i].Interfaces()[1].Name}))
		cfg.Interfaces = append(cfg.Interfaces, Interface{Device: near, Name: []string{"one", "two"}[i],
			Addrs: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(own), 24)}})
	}
	h = newHost(t, cfg)
	require.NoError(t, h.AddRoute(Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Interface: "one"}))
	return h, peers
}

// SO_BINDTODEVICE, SO_BINDTOIFINDEX and IP_UNICAST_IF select the interface of outgoing datagrams, and the first two also that of
// incoming ones.
func TestBindToDevice(t *testing.T) { // SOCK-071
	h, peers := twoDevices(t)
	var servers [2]int
	for i, p := range peers {
		servers[i] = p.bound(SOCK_DGRAM|SOCK_NONBLOCK, "10.9.9.9:7")
	}
	fd := h.bound(SOCK_DGRAM|SOCK_NONBLOCK, "0.0.0.0:7")
	// arrives sends a datagram, and returns the peer at which it arrived and whether the socket received the answer.
	arrives := func() (at int, answered bool) {
		_, err := h.SendTo(fd, []byte("x"), 0, ap("10.9.9.9:7"))
		require.NoError(t, err)
		rest(0, h, peers[0], peers[1])
		for i, p := range peers {
			if _, from, err := p.RecvFrom(servers[i], make([]byte, 1), 0); err == nil {
				at = i
				_, err = p.SendTo(servers[i], []byte("y"), 0, from)
				require.NoError(t, err)
			}
		}
		rest(0, h, peers[0], peers[1])
		_, err = h.recv(fd, 1, 0)
		return at, err == nil
	}
	for _, tt := range []struct {
		level, name int
		value       any
		at          int
	}{
		{SOL_SOCKET, SO_BINDTODEVICE, "two", 1}, {SOL_SOCKET, SO_BINDTODEVICE, "one\x00", 0}, {SOL_SOCKET, SO_BINDTOIFINDEX, 3, 1},
		{SOL_SOCKET, SO_BINDTODEVICE, "", 0}, {IPPROTO_IP, IP_UNICAST_IF, []byte{0, 0, 0, 3}, 1}, {IPPROTO_IP, IP_UNICAST_IF, []byte{0, 0, 0, 0}, 0},
	} {
		h.set(fd, tt.level, tt.name, tt.value)
		at, answered := arrives()
		require.Equal(t, tt.at, at, "%v", tt)
		require.True(t, answered)
	}
	require.Equal(t, syscall.ENODEV, h.SetSockOpt(fd, SOL_SOCKET, SO_BINDTODEVICE, "three"))
	require.Equal(t, syscall.ENODEV, h.SetSockOpt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 9))
	require.Equal(t, syscall.EADDRNOTAVAIL, h.SetSockOpt(fd, IPPROTO_IP, IP_UNICAST_IF, []byte{0, 0, 0, 9}))

	h.set(fd, SOL_SOCKET, SO_BINDTODEVICE, "two")
	name := make([]byte, 16)
	n, err := h.GetSockOpt(fd, SOL_SOCKET, SO_BINDTODEVICE, name)
	require.NoError(t, err)
	require.Equal(t, "two\x00", string(name[:n]))
	_, err = peers[0].SendTo(servers[0], []byte("z"), 0, ap("10.0.0.1:7"))
	require.NoError(t, err)
	rest(0, h, peers[0])
	_, err = h.recv(fd, 1, 0)
	require.Equal(t, syscall.EAGAIN, err, "it came by the other interface")
}

// A stream that is bound to an interface connects by it; a listener accepts from it only, and answers by it.
func TestBindStreamToDevice(t *testing.T) { // SOCK-071
	h, peers := twoDevices(t)
	for i, p := range peers {
		l := p.bound(SOCK_STREAM|SOCK_NONBLOCK, "10.9.9.9:7")
		require.NoError(t, p.Listen(l, 1))
		fd := h.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
		h.set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 2+i)
		require.Equal(t, syscall.EINPROGRESS, h.Connect(fd, ap("10.9.9.9:7")))
		rest(0, h, p)
		_, _, err := p.Accept(l)
		require.NoError(t, err)
		require.NoError(t, h.Close(fd))
	}
	l := h.bound(SOCK_STREAM|SOCK_NONBLOCK, "0.0.0.0:8")
	h.set(l, SOL_SOCKET, SO_BINDTODEVICE, "two")
	require.NoError(t, h.Listen(l, 1))
	for i, want := range []syscall.Errno{syscall.ECONNREFUSED, 0} {
		fd := peers[i].socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
		require.Equal(t, syscall.EINPROGRESS, peers[i].Connect(fd, ap([]string{"10.0.0.1:8", "10.1.0.1:8"}[i])))
		rest(0, h, peers[i])
		require.Equal(t, want, peers[i].soError(fd))
	}
	accepted, _, err := h.Accept(l)
	require.NoError(t, err)
	require.Equal(t, 3, h.get(accepted, SOL_SOCKET, SO_BINDTOIFINDEX))
}

// SO_DONTROUTE reaches neighbours only.
func TestDontRoute(t *testing.T) { // SOCK-071
	var clk VirtualClock
	a, _ := pair(t, &clk)
	require.NoError(t, a.AddRoute(Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addrB}))
	fd := a.socket(SOCK_DGRAM, 0)
	for on, want := range []error{nil, syscall.ENETUNREACH} {
		a.set(fd, SOL_SOCKET, SO_DONTROUTE, on)
		_, err := a.SendTo(fd, []byte("x"), 0, ap("192.0.2.1:7"))
		require.Equal(t, want, err)
		_, err = a.SendTo(fd, []byte("x"), 0, ap("10.0.0.2:7"))
		require.NoError(t, err)
	}
	require.Equal(t, syscall.ENETUNREACH, a.Connect(fd, ap("192.0.2.1:7")))
	stream := a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	a.set(stream, SOL_SOCKET, SO_DONTROUTE, 1)
	require.Equal(t, syscall.ENETUNREACH, a.Connect(stream, ap("192.0.2.1:7")))
}

// IP_UNICAST_IF of a stream is only stored.
func TestUnicastIfOfAStream(t *testing.T) { // SOCK-071
	h := alone(t)
	fd := h.socket(SOCK_STREAM, 0)
	h.set(fd, IPPROTO_IP, IP_UNICAST_IF, int(Htonl(1)))
	require.Equal(t, Htonl(1), uint32(h.get(fd, IPPROTO_IP, IP_UNICAST_IF)))
	require.EqualValues(t, 1, binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, uint32(h.get(fd, IPPROTO_IP, IP_UNICAST_IF)))))
}
