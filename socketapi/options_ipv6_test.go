package socketapi

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table has the answers of a Linux kernel: the value of a new socket, then for each number that is set the value read back or the error.
func TestValuesOfIPv6Options(t *testing.T) { // SOCK6-005, SOCK6-010, SOCK6-011, SOCK6-015, SOCK6-016, SOCK6-017, SOCK6-021
	h := alone(t)
	const einval, noopt = "EINVAL", "ENOPROTOOPT"
	names := map[error]string{
		syscall.EINVAL: einval, syscall.ENOPROTOOPT: noopt, syscall.ENOTCONN: "ENOTCONN", syscall.ENODEV: "ENODEV",
		syscall.EADDRNOTAVAIL: "EADDRNOTAVAIL",
	}
	numbers := []int{-2, -1, 0, 1, 2, 5, 6, 7, 255, 256, 1279, 1280, 65536}
	const on = "1 1 0 1 1 1 1 1 1 1 1 1 1"
	const hops = "EINVAL -1 0 1 2 5 6 7 255 EINVAL EINVAL EINVAL EINVAL"
	for _, c := range []struct {
		kinds  string
		name   int
		first  string
		values string
	}{
		{"tcp udp raw icmp", IPV6_UNICAST_HOPS, "64", strings.Replace(hops, "-1", "64", 1)},
		{"udp raw icmp", IPV6_MULTICAST_HOPS, "1", strings.Replace(hops, "-1", "1", 1)},
		{"tcp", IPV6_MULTICAST_HOPS, "1", strings.Repeat(noopt+" ", 13)},
		{"tcp", IPV6_MULTICAST_IF, "0", strings.Repeat(noopt+" ", 13)},
		{"udp raw", IPV6_MULTICAST_IF, "0", "ENODEV ENODEV 0 1" + strings.Repeat(" ENODEV", 9)},
		{"tcp udp raw", IPV6_MULTICAST_LOOP, "1", "EINVAL EINVAL 0 1" + strings.Repeat(" EINVAL", 9)},
		{"tcp udp raw", IPV6_MULTICAST_ALL, "1", on},
		{"tcp udp raw", IPV6_MTU_DISCOVER, "1", "EINVAL EINVAL 0 1 2 5" + strings.Repeat(" EINVAL", 7)},
		{"tcp udp raw", IPV6_MTU, "ENOTCONN", "EINVAL EINVAL ENOTCONN" + strings.Repeat(" EINVAL", 8) + " ENOTCONN ENOTCONN"},
		{"tcp udp", IPV6_V6ONLY, "0", on},
		{"raw icmp", IPV6_V6ONLY, "0", strings.Repeat("EINVAL ", 13)},
		{"tcp udp raw", IPV6_RECVERR_RFC4884, "0", "EINVAL EINVAL 0 1" + strings.Repeat(" EINVAL", 9)},
		{"tcp", IPV6_TCLASS, "0", "EINVAL 0 0 0 0 4 4 4 252" + strings.Repeat(" EINVAL", 4)},
		{"udp raw", IPV6_TCLASS, "0", strings.Replace(hops, "-1", "0", 1)},
		{"tcp udp raw", IPV6_ADDR_PREFERENCES, "1280", "EINVAL EINVAL 1280 1025 1026 5 6 EINVAL EINVAL 1280 EINVAL 1280 1280"},
		{"tcp udp raw", IPV6_MINHOPCOUNT, "0", "EINVAL EINVAL 0 1 2 5 6 7 255" + strings.Repeat(" EINVAL", 4)},
		{"tcp udp raw", IPV6_UNICAST_IF, "0", "EADDRNOTAVAIL EADDRNOTAVAIL 0" + strings.Repeat(" EADDRNOTAVAIL", 10)},
		{"raw", IPV6_CHECKSUM, "-1", "-1 -1 0 EINVAL 2 EINVAL 6 EINVAL EINVAL 256 EINVAL 1280 65536"},
		{"icmp", IPV6_CHECKSUM, "2", strings.Repeat("EINVAL ", 13)},
		{"tcp udp", IPV6_CHECKSUM, noopt, strings.Repeat(noopt+" ", 13)},
		{"tcp udp", IPV6_HDRINCL, noopt, strings.Repeat(noopt+" ", 13)},
		{"raw", IPV6_HDRINCL, "0", on},
		{"tcp udp raw", IPV6_ROUTER_ALERT, "0", strings.Repeat(noopt+" ", 13)},
		{"tcp udp raw", IPV6_AUTOFLOWLABEL, "1", on},
		{"tcp udp raw", IPV6_RECVERR, "0", on},
		{"tcp udp raw", IPV6_DONTFRAG, "0", on},
		{"tcp udp raw", IPV6_FREEBIND, "0", on},
		{"tcp udp raw", IPV6_RECVPKTINFO, "0", on},
		{"tcp udp raw", IPV6_FLOWINFO_SEND, "0", on},
	} {
		for _, kind := range strings.Fields(c.kinds) {
			open := func() int {
				switch kind {
				case "tcp":
					return h.socket6(SOCK_STREAM, 0)
				case "udp":
					return h.socket6(SOCK_DGRAM, 0)
				case "raw":
					return h.socket6(SOCK_RAW, 253)
				}
				return h.socket6(SOCK_RAW, IPPROTO_ICMPV6)
			}
			read := func(fd int) string {
				var n int
				if _, err := h.GetSockOpt(fd, IPPROTO_IPV6, c.name, &n); err != nil {
					return names[err]
				}
				return fmt.Sprint(n)
			}
			require.Equal(t, c.first, read(open()), "%s %d", kind, c.name)
			want := strings.Fields(c.values)
			require.Len(t, want, len(numbers))
			for i, n := range numbers {
				fd := open()
				var got string
				if err := h.SetSockOpt(fd, IPPROTO_IPV6, c.name, n); err != nil {
					got = names[err]
				} else {
					got = read(fd)
				}
				require.Equal(t, want[i], got, "%s %d: %d", kind, c.name, n)
				require.NoError(t, h.Close(fd))
			}
		}
	}
	fd := h.socket(SOCK_DGRAM, 0)
	_, err := h.GetSockOpt(fd, IPPROTO_IPV6, IPV6_V6ONLY, new(int))
	require.Equal(t, syscall.EOPNOTSUPP, err)
	require.Equal(t, syscall.ENOPROTOOPT, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(h.socket6(SOCK_DGRAM, 0), IPPROTO_IPV6, IPV6_TCLASS, []byte{1}))
}

// Two sockets share a port or conflict as on Linux, in both orders.
func TestConflictsOfFamilies(t *testing.T) { // SOCK6-005, SOCK6-007
	h := alone(t)
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM} {
		binds := []struct {
			domain int
			only   int
			addr   string
		}{
			{AF_INET, 0, "0.0.0.0:7"}, {AF_INET6, 0, "[::]:7"}, {AF_INET6, 1, "[::]:7"}, {AF_INET6, 0, "[::ffff:0.0.0.0]:7"},
			{AF_INET, 0, "127.0.0.1:7"}, {AF_INET6, 0, "[::1]:7"}, {AF_INET6, 0, "[::ffff:127.0.0.1]:7"},
		}
		conflict := []string{ // by the second bind
			"xx.xx.x", "xxxxxxx", ".xx..x.", "xx.xx.x", "xx.xx.x", ".xx..x.", "xx.xx.x",
		}
		for i, first := range binds {
			for j, second := range binds {
				open := func(domain, only int) int {
					fd, err := h.Socket(domain, typ, 0)
					require.NoError(t, err)
					if domain == AF_INET6 {
						require.NoError(t, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_V6ONLY, only))
					}
					return fd
				}
				one, two := open(first.domain, first.only), open(second.domain, second.only)
				require.NoError(t, h.Bind(one, ap(first.addr)))
				require.Equal(t, ap(first.addr), h.name(one))
				err := h.Bind(two, ap(second.addr))
				if conflict[i][j] == 'x' {
					require.Equal(t, syscall.EADDRINUSE, err, "%v %v", first, second)
				} else {
					require.NoError(t, err, "%v %v", first, second)
				}
				require.NoError(t, h.Close(one))
				require.NoError(t, h.Close(two))
			}
		}
	}
}

// A Berkeley socket of AF_INET6 names IPv4 peers by mapped addresses, and IPv4 packets go over the wire.
func TestMappedAddresses(t *testing.T) { // SOCK6-002, SOCK6-004
	a, b := dualPair(t)
	l := b.socket6(SOCK_STREAM, 0)
	require.NoError(t, b.Bind(l, ap("[::]:7")))
	require.NoError(t, b.Listen(l, 5))
	for to, from := range map[string]string{"::ffff:10.0.0.2": "::ffff:10.0.0.1", "2001:db8::2": "2001:db8::1", "fe80::b%eth0": "fe80::a%eth0"} {
		fd := a.socket6(SOCK_STREAM, 0)
		remote := netip.AddrPortFrom(netip.MustParseAddr(to), 7)
		require.NoError(t, a.Connect(fd, remote))
		require.Equal(t, from, a.name(fd).Addr().String())
		peer, err := a.GetPeerName(fd)
		require.NoError(t, err)
		require.Equal(t, remote, peer)
		conn, peer, err := b.Accept(l)
		require.NoError(t, err)
		require.Equal(t, a.name(fd), peer)
		require.Equal(t, remote, b.name(conn))
	}
	d := b.socket6(SOCK_DGRAM, 0)
	require.NoError(t, b.Bind(d, ap("[::]:7")))
	_, err := a.SendTo(a.socket(SOCK_DGRAM, 0), []byte("hello"), 0, ap("10.0.0.2:7"))
	require.NoError(t, err)
	_, m, err := b.RecvMsg(d, make([]byte, 10), 0)
	require.NoError(t, err)
	require.Equal(t, "::ffff:10.0.0.1", m.Addr.Addr().String())
	require.Equal(t, "::ffff:10.0.0.2", m.Local.String())
}

func TestV6OnlyRefusesMapped(t *testing.T) { // SOCK6-005, SOCK6-006, SOCK6-008, SOCK6-009
	h, _ := dualPair(t)
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM} {
		fd := h.socket6(typ, 0)
		require.NoError(t, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
		require.Equal(t, syscall.EINVAL, h.Bind(fd, ap("[::ffff:10.0.0.1]:7")))
		require.Equal(t, syscall.ENETUNREACH, h.Connect(fd, ap("[::ffff:10.0.0.2]:7")))
		for where, want := range map[string]syscall.Errno{
			"[2001:db8::9]:7": syscall.EADDRNOTAVAIL, "[fe80::a]:7": syscall.EINVAL, // a link-local address needs its interface
		} {
			require.Equal(t, want, h.Bind(h.socket6(typ, 0), ap(where)))
		}
		require.Equal(t, syscall.EINVAL, h.Connect(fd, ap("[fe80::b]:7")))
		fd = h.socket6(typ, 0)
		require.NoError(t, h.Bind(fd, ap("[fe80::a%eth0]:7")))
		require.Equal(t, ap("[fe80::a%eth0]:7"), h.name(fd))
		var device string
		_, err := h.GetSockOpt(fd, SOL_SOCKET, SO_BINDTODEVICE, &device)
		require.NoError(t, err)
		require.Equal(t, "eth0", device)
		require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0))
		require.Equal(t, syscall.EAFNOSUPPORT, h.Connect(h.socket(typ, 0), ap("[2001:db8::2]:7")))
	}
	fd := h.socket6(SOCK_DGRAM, 0)
	require.NoError(t, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
	_, err := h.SendTo(fd, []byte("x"), 0, ap("[::ffff:10.0.0.2]:7"))
	require.Equal(t, syscall.ENETUNREACH, err)
}

func TestInterfaceNames(t *testing.T) { // SOCK6-028
	h, _ := dualPair(t)
	require.Equal(t, []NameIndex{{1, "lo"}, {2, "eth0"}}, h.IfNameIndex())
	require.Equal(t, 2, h.IfNameToIndex("eth0"))
	require.Zero(t, h.IfNameToIndex("eth9"))
	name, err := h.IfIndexToName(1)
	require.NoError(t, err)
	require.Equal(t, "lo", name)
	for _, n := range []int{-1, 0, 3} {
		_, err = h.IfIndexToName(n)
		require.Equal(t, syscall.ENXIO, err)
	}
}

func TestSockaddrIn6(t *testing.T) { // SOCK6-001
	h, _ := dualPair(t)
	sa := h.SockaddrIn6(ap("[fe80::b%eth0]:258"))
	sa.FlowInfo = [4]byte{0, 1, 2, 3}
	b := layout(sa)
	require.Len(t, b, 28)
	require.Equal(t, append([]byte{10, 0, 1, 2, 0, 1, 2, 3, 0xfe, 0x80}, append(make([]byte, 13), 0xb, 2, 0, 0, 0)...), []byte(b))
	a, flow, err := h.ParseSockaddr(AF_INET6, b)
	require.NoError(t, err)
	require.Equal(t, ap("[fe80::b%eth0]:258"), a)
	require.EqualValues(t, 0x10203, flow)
	for addr, want := range map[string]string{"ff01::1": "ff01::1%eth0", "ff02::1": "ff02::1%eth0", "ff05::1": "ff05::1", "2001:db8::b": "2001:db8::b"} {
		require.Equal(t, want, h.AddrPort(&SockaddrIn6{Addr: netip.MustParseAddr(addr).As16(), ScopeID: 2}).Addr().String())
	}
	for n, want := range map[int]error{0: syscall.EINVAL, 23: syscall.EINVAL, 24: nil} {
		_, _, err = h.ParseSockaddr(AF_INET6, b[:n])
		require.Equal(t, want, err, n)
	}
	_, _, err = h.ParseSockaddr(AF_INET, b)
	require.Equal(t, syscall.EAFNOSUPPORT, err)
	v4 := append([]byte{2, 0, 1, 2, 10, 0, 0, 2}, make([]byte, 20)...)
	a, _, err = h.ParseSockaddr(AF_INET, v4[:16])
	require.NoError(t, err)
	require.Equal(t, ap("10.0.0.2:258"), a)
	_, _, err = h.ParseSockaddr(AF_INET6, v4)
	require.Equal(t, syscall.EAFNOSUPPORT, err)
	a, _, err = h.ParseSockaddr(AF_INET6, []byte{0, 0})
	require.NoError(t, err)
	require.Equal(t, ap0, a)
}
