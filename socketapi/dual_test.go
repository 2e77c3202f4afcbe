package socketapi

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// The addresses of dualPair.
var (
	linkA = netip.MustParseAddr("fe80::a")
	linkB = netip.MustParseAddr("fe80::b")
)

// dualPair returns two stacks joined by a wire, in real time. The addresses of a are 10.0.0.1, 2001:db8::1 and fe80::a, those of b 10.0.0.2,
// 2001:db8::2 and fe80::b. The interface of each is eth0.
func dualPair(t *testing.T) (a, b host) {
	t.Helper()
	one, two := tun.Pipe(1500, tun.TUN, packet.Features{})
	host := func(d tun.Device, v4, v6, link netip.Addr) host {
		cfg := device(d, v4)
		i := &cfg.Interfaces[0]
		i.Name = "eth0"
		i.Addrs = append(i.Addrs, netip.PrefixFrom(v6, 64), netip.PrefixFrom(link, 64))
		return newHost(t, cfg)
	}
	return host(one, addrA, addrA6, linkA), host(two, addrB, addrB6, linkB)
}

// A listener without a host, or with an unspecified one, accepts connections over both versions, and addresses have the forms of
// package net.
func TestListenBothVersions(t *testing.T) { // SOCK6-002, SOCK6-004, SOCK6-032
	a, b := dualPair(t)
	for _, c := range []struct{ network, address, local string }{
		{"tcp", ":0", "[::]"}, {"tcp", "[::]:0", "[::]"}, {"tcp", "0.0.0.0:0", "[::]"},
		{"tcp4", ":0", "0.0.0.0"}, {"tcp6", ":0", "[::]"},
		{"tcp", "10.0.0.2:0", "10.0.0.2"}, {"tcp", "[2001:db8::2]:0", "[2001:db8::2]"}, {"tcp6", "[fe80::b%eth0]:0", "[fe80::b%eth0]"},
	} {
		l, err := b.Stack.Listen(c.network, c.address)
		require.NoError(t, err, c)
		port, at := portOf(l.Addr()), l.Addr().(*net.TCPAddr).AddrPort().Addr().WithZone("")
		require.Equal(t, c.local+":"+port, l.Addr().String())
		for _, d := range []struct{ network, to, from string }{
			{"tcp", "10.0.0.2", "10.0.0.1"}, {"tcp4", "10.0.0.2", "10.0.0.1"}, {"tcp", "::ffff:10.0.0.2", "10.0.0.1"},
			{"tcp", "2001:db8::2", "2001:db8::1"}, {"tcp6", "2001:db8::2", "2001:db8::1"},
			{"tcp", "fe80::b%eth0", "fe80::a%eth0"}, {"tcp6", "fe80::b%2", "fe80::a%eth0"},
		} {
			to := netip.MustParseAddr(d.to).Unmap().WithZone("")
			wild := at.IsUnspecified() && (c.network == "tcp" || at.Is4() == to.Is4())
			conn, err := a.Dial(d.network, net.JoinHostPort(d.to, port))
			if !wild && at != to {
				require.ErrorIs(t, err, syscall.ECONNREFUSED, "%v %v", c, d)
				continue
			}
			require.NoError(t, err, "%v %v", c, d)
			peer, err := l.Accept()
			require.NoError(t, err)
			require.Equal(t, conn.LocalAddr(), peer.RemoteAddr())
			require.Equal(t, conn.RemoteAddr(), peer.LocalAddr())
			require.Equal(t, d.from, conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String())
			_, err = conn.Write([]byte("hello"))
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			got, err := io.ReadAll(peer)
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
			require.NoError(t, peer.Close())
		}
		require.NoError(t, l.Close())
	}
}

// One port serves each version with a listener of its own.
func TestListenersOfOneVersion(t *testing.T) { // SOCK6-007, SOCK6-032
	a, b := dualPair(t)
	four, err := b.Stack.Listen("tcp4", ":7")
	require.NoError(t, err)
	six, err := b.Stack.Listen("tcp6", ":7")
	require.NoError(t, err)
	_, err = b.Stack.Listen("tcp", ":7")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	for _, c := range []struct {
		to string
		l  net.Listener
	}{{"10.0.0.2:7", four}, {"[2001:db8::2]:7", six}} {
		conn, err := a.Dial("tcp", c.to)
		require.NoError(t, err)
		peer, err := c.l.Accept()
		require.NoError(t, err)
		require.Equal(t, conn.LocalAddr().String(), peer.RemoteAddr().String())
	}
	for _, c := range []struct{ network, to string }{{"tcp4", "[2001:db8::2]:7"}, {"udp6", "10.0.0.2:7"}} {
		var address *net.AddrError
		_, err := a.Dial(c.network, c.to)
		require.ErrorAs(t, err, &address)
	}
	_, err = a.Dial("tcp", "[fe80::b]:7")
	require.ErrorIs(t, err, syscall.EINVAL)
	_, err = a.Dial("tcp", "[fe80::b%eth9]:7")
	require.Error(t, err)
	_, err = b.Stack.Listen("tcp", "[2001:db8::9]:0")
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
}

// Without a host, or with an unspecified one, Dial means this host.
func TestDialThisHost(t *testing.T) { // SOCK6-003
	h := alone(t)
	l, err := h.Stack.Listen("tcp", ":0")
	require.NoError(t, err)
	for _, c := range []struct{ network, host, to string }{
		{"tcp", "", "127.0.0.1"}, {"tcp", "::", "127.0.0.1"}, {"tcp6", "", "::1"}, {"tcp6", "::", "::1"}, {"tcp", "::1", "::1"},
	} {
		conn, err := h.Dial(c.network, net.JoinHostPort(c.host, portOf(l.Addr())))
		require.NoError(t, err, c)
		require.Equal(t, net.JoinHostPort(c.to, portOf(l.Addr())), conn.RemoteAddr().String())
	}
}

func TestPacketsOfBothVersions(t *testing.T) { // SOCK6-002, SOCK6-004, SOCK6-032
	a, b := dualPair(t)
	server, err := b.ListenPacket("udp", ":7")
	require.NoError(t, err)
	require.Equal(t, "[::]:7", server.LocalAddr().String())
	for _, c := range []struct{ network, to, from string }{
		{"udp", "10.0.0.2:7", "10.0.0.1"}, {"udp4", "10.0.0.2:7", "10.0.0.1"}, {"udp", "[2001:db8::2]:7", "2001:db8::1"},
		{"udp6", "[fe80::b%eth0]:7", "fe80::a%eth0"},
	} {
		conn, err := a.Dial(c.network, c.to)
		require.NoError(t, err)
		_, err = conn.Write([]byte(c.to))
		require.NoError(t, err)
		b := make([]byte, 100)
		n, from, err := server.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, c.to, string(b[:n]))
		require.Equal(t, conn.LocalAddr().String(), from.String())
		require.Equal(t, c.from, from.(*net.UDPAddr).AddrPort().Addr().Unmap().String())
		_, err = server.WriteTo([]byte("answer"), from)
		require.NoError(t, err)
		n, err = conn.Read(b)
		require.NoError(t, err)
		require.Equal(t, "answer", string(b[:n]))
	}
}

// The zone of a group chooses the interface.
func TestDialGroup(t *testing.T) { // SOCK6-025, IP6-047
	a, b := dualPair(t)
	server, err := b.ListenPacket("udp6", ":7")
	require.NoError(t, err)
	conn, err := a.Dial("udp", "[ff02::1%eth0]:7")
	require.NoError(t, err)
	_, err = conn.Write([]byte("hello"))
	require.NoError(t, err)
	_, from, err := server.ReadFrom(make([]byte, 9))
	require.NoError(t, err)
	require.Equal(t, "fe80::a%eth0", from.(*net.UDPAddr).AddrPort().Addr().String())
}

// Raw sockets have one version. An IPv6 one sends and receives payloads without the header.
func TestRawNetworks(t *testing.T) { // SOCK6-032
	a, b := dualPair(t)
	for _, c := range []struct{ network, listen, to, from string }{
		{"ip4:253", "", "10.0.0.2", "10.0.0.1"}, {"ip:253", "", "10.0.0.2", "10.0.0.1"}, {"ip6:253", "", "2001:db8::2", "2001:db8::1"},
		{"ip:253", "::", "fe80::b%eth0", "fe80::a%eth0"},
	} {
		server, err := b.ListenPacket(c.network, c.listen)
		require.NoError(t, err)
		conn, err := a.Dial(c.network, c.to)
		require.NoError(t, err)
		_, err = conn.Write([]byte("hello"))
		require.NoError(t, err)
		b := make([]byte, 100)
		n, from, err := server.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b[:n]))
		require.Equal(t, c.from, from.String())
		require.NoError(t, server.Close())
		require.NoError(t, conn.Close())
	}
}
