package socketapi

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

// A socket receives a group from the sources that its filter allows, and with IP_MULTICAST_ALL off no group that only another socket has joined.
func TestMulticastSources(t *testing.T) { // SOCK-071
	var clk VirtualClock
	a, b := pair(t, &clk)
	group := [4]byte{224, 0, 0, 251}
	from := func(addr [4]byte) IPMreqSource {
		return IPMreqSource{Multiaddr: group, Interface: addrB.As4(), Sourceaddr: addr}
	}
	other := [4]byte{10, 0, 0, 9}
	sender := a.socket(SOCK_DGRAM, 0)
	fd, member := b.bound(SOCK_DGRAM, "0.0.0.0:7"), b.socket(SOCK_DGRAM, 0)
	b.set(member, IPPROTO_IP, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: group, Address: addrB.As4()})
	receives := func(want bool, why string) {
		t.Helper()
		_, err := a.SendTo(sender, []byte("x"), 0, ap("224.0.0.251:7"))
		require.NoError(t, err)
		rest(0, a, b)
		_, err = b.recv(fd, 1, MSG_DONTWAIT)
		require.Equal(t, want, err == nil, why)
	}
	set := func(want error, name int, value any) {
		t.Helper()
		require.Equal(t, want, b.SetSockOpt(fd, IPPROTO_IP, name, value))
	}
	receives(true, "another socket has joined")
	set(nil, IP_MULTICAST_ALL, 0)
	receives(false, "and that does not count now")

	set(syscall.EINVAL, IP_BLOCK_SOURCE, from(other))
	set(nil, IP_ADD_SOURCE_MEMBERSHIP, from(other))
	receives(false, "not the source")
	set(syscall.EADDRNOTAVAIL, IP_ADD_SOURCE_MEMBERSHIP, from(other))
	set(syscall.EINVAL, IP_BLOCK_SOURCE, from(other))
	set(nil, IP_ADD_SOURCE_MEMBERSHIP, from(addrA.As4()))
	receives(true, "one of the sources")
	set(nil, IP_DROP_SOURCE_MEMBERSHIP, from(addrA.As4()))
	receives(false, "not any more")
	set(nil, IP_DROP_SOURCE_MEMBERSHIP, from(other))
	set(syscall.EINVAL, IP_DROP_SOURCE_MEMBERSHIP, from(other))

	req := GroupReq{Interface: 2, Group: SockaddrStorage{Family: AF_INET, Addr: group}}
	set(nil, MCAST_JOIN_GROUP, req)
	set(syscall.EADDRINUSE, MCAST_JOIN_GROUP, req)
	receives(true, "all sources")
	source := GroupSourceReq{GroupReq: req, Source: SockaddrStorage{Family: AF_INET, Addr: addrA.As4()}}
	set(nil, MCAST_BLOCK_SOURCE, source)
	receives(false, "blocked")
	set(nil, MCAST_UNBLOCK_SOURCE, source)
	receives(true, "all sources")
	set(nil, MCAST_LEAVE_GROUP, req)
	receives(false, "left")
	set(syscall.EINVAL, MCAST_JOIN_GROUP, make([]byte, 100))
}

// Memberships end in the errors of Linux: a group is joined on an interface, which its number, an address of it or the route to the
// group names.
func TestMembershipErrors(t *testing.T) { // SOCK-044, SOCK-071
	var clk VirtualClock
	_, b := pair(t, &clk)
	group, own := [4]byte{239, 1, 2, 3}, addrB.As4()
	unknown := [4]byte{10, 9, 9, 9}
	mreqn := func(a [4]byte, index int32) IPMreqn { return IPMreqn{Multiaddr: group, Address: a, Ifindex: index} }
	source := func(last byte) IPMreqSource {
		return IPMreqSource{Multiaddr: group, Interface: own, Sourceaddr: [4]byte{10, 0, 1, last}}
	}
	fd := b.socket(SOCK_DGRAM, 0)
	set := func(want error, name int, value any) {
		t.Helper()
		require.Equal(t, want, b.SetSockOpt(fd, IPPROTO_IP, name, value))
	}
	set(syscall.EINVAL, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: own, Address: own})
	set(syscall.ENODEV, IP_ADD_MEMBERSHIP, mreqn(unknown, 0))
	set(syscall.ENODEV, IP_ADD_MEMBERSHIP, mreqn(own, 99))
	set(syscall.EADDRNOTAVAIL, IP_DROP_MEMBERSHIP, mreqn(own, 0))
	set(syscall.EADDRNOTAVAIL, IP_DROP_MEMBERSHIP, mreqn(unknown, 0))
	set(syscall.EADDRNOTAVAIL, IP_DROP_MEMBERSHIP, mreqn(own, 99))
	set(syscall.EINVAL, IP_BLOCK_SOURCE, source(1))
	set(syscall.ENODEV, IP_BLOCK_SOURCE, IPMreqSource{Multiaddr: group, Interface: unknown})
	set(syscall.ENODEV, IP_ADD_SOURCE_MEMBERSHIP, IPMreqSource{Multiaddr: group, Interface: unknown})
	set(syscall.EINVAL, IP_ADD_SOURCE_MEMBERSHIP, IPMreqSource{Multiaddr: own, Interface: own})

	set(nil, IP_ADD_MEMBERSHIP, mreqn(own, 0))
	set(syscall.EADDRINUSE, IP_ADD_MEMBERSHIP, mreqn([4]byte{}, 0))
	set(nil, IP_DROP_MEMBERSHIP, mreqn([4]byte{}, 0))
	for last := range byte(10) {
		set(nil, IP_ADD_SOURCE_MEMBERSHIP, source(last))
	}
	set(syscall.ENOBUFS, IP_ADD_SOURCE_MEMBERSHIP, source(10))
	for n := range byte(19) {
		set(nil, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: [4]byte{239, 0, 0, n}, Address: own})
	}
	set(syscall.ENOBUFS, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: [4]byte{239, 0, 0, 19}, Address: own})
}

// Close tells routers that the groups of the sockets are left.
func TestCloseLeavesGroups(t *testing.T) { // SOCK-044, IGMP-001
	const tail = 8 // the last record of a report: type, 0, 0, 0 and the group
	var clk VirtualClock
	var sent [][]byte
	s, err := New(Config{Clock: &clk, Interfaces: []Interface{{
		Name: "wire", MTU: 1500, Addrs: []netip.Prefix{netip.PrefixFrom(addrB, 24)},
		Output: func(_ time.Duration, b []byte) {
			if b[0]>>4 == 4 {
				sent = append(sent, slices.Clone(b[len(b)-tail:]))
			}
		},
	}}})
	require.NoError(t, err)
	fd, err := s.Berkeley().Socket(AF_INET, SOCK_DGRAM, 0)
	require.NoError(t, err)
	require.NoError(t, s.Berkeley().SetSockOpt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: [4]byte{239, 1, 2, 3}}))
	s.Advance(time.Minute)
	const toInclude, toExclude = 3, 4
	require.Equal(t, [][]byte{{toExclude, 0, 0, 0, 239, 1, 2, 3}, {toExclude, 0, 0, 0, 239, 1, 2, 3}}, sent)
	sent = nil
	require.NoError(t, s.Close())
	require.Equal(t, [][]byte{{toInclude, 0, 0, 0, 239, 1, 2, 3}}, sent)
}

// An IPv6 socket leaves a group where it has joined it, even if it names no interface and the route to the group is another.
func TestLeaveWithoutInterface(t *testing.T) { // SOCK-044
	wire := func(name, address string) Interface {
		return Interface{Name: name, MTU: 1500, Addrs: []netip.Prefix{netip.MustParsePrefix(address)}, Output: func(time.Duration, []byte) {}}
	}
	h := newHost(t, Config{Clock: new(VirtualClock), Interfaces: []Interface{wire("a", "2001:db8:1::2/64"), wire("b", "2001:db8:2::2/64")}})
	fd, err := h.Socket(AF_INET6, SOCK_DGRAM, 0)
	require.NoError(t, err)
	group := netip.MustParseAddr("ff0e::9").As16()
	h.set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, IPv6Mreq{group, 3})
	require.Equal(t, syscall.EADDRNOTAVAIL, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, IPv6Mreq{group, 2}))
	h.set(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, IPv6Mreq{group, 0})
	require.Equal(t, syscall.EADDRNOTAVAIL, h.SetSockOpt(fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, IPv6Mreq{group, 0}))
}

// The options of RFC 3678 select the sources of an IPv6 group.
func TestMulticastSourcesOfIPv6(t *testing.T) { // SOCK-071
	const number = 2
	group := netip.MustParseAddr("ff0e::9")
	w := newWire(t, dualStack)
	fd := w.socket6(SOCK_DGRAM, 0)
	require.NoError(t, w.Bind(fd, ap("[::]:7")))
	w.set(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
	w.set6(fd, IPV6_MULTICAST_ALL, 0)
	receives := func(want bool, why string) {
		t.Helper()
		b := packet6(ip.ProtocolUDP, []byte{0, 9, 0, 7, 0, 9, 0, 0, 'x'})
		copy(b[24:], group.AsSlice())
		w.inject(b)
		_, err := w.host.recv(fd, 9, MSG_DONTWAIT)
		require.Equal(t, want, err == nil, why)
	}
	set := func(want error, name int, family uint16, addrs ...netip.Addr) { // a struct group_req or group_source_req
		t.Helper()
		value := binary.NativeEndian.AppendUint64(nil, number)
		for _, a := range addrs {
			sa := layout(SockaddrIn6{Family: family, Addr: a.As16()})
			value = append(value, append(sa, make([]byte, sizeofSockaddrStorage-len(sa))...)...)
		}
		require.Equal(t, want, w.SetSockOpt(fd, IPPROTO_IPV6, name, value))
	}
	receives(false, "not joined")
	set(nil, MCAST_JOIN_GROUP, AF_INET6, group)
	receives(true, "all sources")
	set(nil, MCAST_BLOCK_SOURCE, AF_INET6, group, addrA6)
	receives(false, "blocked")
	set(nil, MCAST_UNBLOCK_SOURCE, AF_INET6, group, addrA6)
	receives(true, "all sources again")
	set(nil, MCAST_LEAVE_GROUP, AF_INET6, group)
	set(nil, MCAST_JOIN_SOURCE_GROUP, AF_INET6, group, addrB6)
	receives(false, "another source")
	set(nil, MCAST_JOIN_SOURCE_GROUP, AF_INET6, group, addrA6)
	receives(true, "one of two sources")
	set(nil, MCAST_LEAVE_SOURCE_GROUP, AF_INET6, group, addrA6)
	receives(false, "not any more")
	set(syscall.EADDRNOTAVAIL, MCAST_JOIN_GROUP, AF_INET, group)
	set(syscall.EINVAL, MCAST_JOIN_SOURCE_GROUP, AF_INET6, group)
}
