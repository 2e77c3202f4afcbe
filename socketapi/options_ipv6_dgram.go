package socketapi

import (
	"encoding/binary"
	"math"
	"net/netip"
	"syscall"

	"tunstack/ip/dgram"
)

// ipv6StreamOptions are the options of level IPPROTO_IPV6 of a SOCK_STREAM socket, which has no multicasts.
var ipv6StreamOptions = map[optname]option{
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS}: {get: func(*socket) (any, error) { return 1, nil }, set: refused(syscall.ENOPROTOOPT)},
	{IPPROTO_IPV6, IPV6_MULTICAST_IF}:   {get: func(*socket) (any, error) { return 0, nil }, set: refused(syscall.ENOPROTOOPT)},
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP}: whole(keptNumber(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, 1)),
	{IPPROTO_IPV6, IPV6_MULTICAST_ALL}:  whole(kept(IPPROTO_IPV6, IPV6_MULTICAST_ALL)),
	{IPPROTO_IPV6, IPV6_JOIN_GROUP}:     {set: refusedGroup},
	{IPPROTO_IPV6, IPV6_LEAVE_GROUP}:    {set: refusedGroup},
}

func refusedGroup(_ *socket, v optvalue) error {
	if len(v) < binary.Size(IPv6Mreq{}) {
		return syscall.EINVAL
	}
	return syscall.EPROTO
}

// refused refuses an option of datagrams on a stream with the error that Linux returns.
func refused(err error) func(*socket, optvalue) error {
	return func(*socket, optvalue) error { return err }
}

// ipv6DatagramOptions are those of datagram and raw sockets.
var ipv6DatagramOptions = map[optname]option{
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS}: whole(number(-1, math.MaxUint8,
		func(so *socket) int { return int(so.datagrams().Options().Multicast6.TTL) }, setMulticastHops)),
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP}: whole(number(0, 1,
		func(so *socket) int { return bit(so.datagrams().Options().Multicast6.Loop) },
		func(so *socket, n int) error { return so.setMulticast6(func(o *dgram.Multicast) { o.Loop = n != 0 }) })),
	{IPPROTO_IPV6, IPV6_MULTICAST_ALL}: whole(flag(
		func(so *socket) bool { return !so.datagrams().Options().Multicast6.OnlyJoined },
		func(so *socket, on bool) { _ = so.setMulticast6(func(o *dgram.Multicast) { o.OnlyJoined = !on }) })),
	{IPPROTO_IPV6, IPV6_MULTICAST_IF}: whole(number(math.MinInt32, math.MaxInt32,
		func(so *socket) int { return so.stack.ip.NumberOf(so.datagrams().Options().Multicast6.Interface) }, setMulticastIf6)),
	{IPPROTO_IPV6, IPV6_JOIN_GROUP}:  {set: sourceOption(optvalue.ipv6Mreq, join)},
	{IPPROTO_IPV6, IPV6_LEAVE_GROUP}: {set: leaveOption6(optvalue.ipv6Mreq, 16)},

	{IPPROTO_IPV6, MCAST_JOIN_GROUP}:         {set: sourceOption(optvalue.groupReq6, join)},
	{IPPROTO_IPV6, MCAST_LEAVE_GROUP}:        {set: leaveOption6(optvalue.groupReq6, 0)},
	{IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP}:  {set: sourceOption(optvalue.groupSourceReq6, (*dgram.Groups).AddSource)},
	{IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP}: {set: sourceOption(optvalue.groupSourceReq6, (*dgram.Groups).DropSource)},
	{IPPROTO_IPV6, MCAST_BLOCK_SOURCE}:       {set: sourceOption(optvalue.groupSourceReq6, (*dgram.Groups).Block)},
	{IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE}:     {set: sourceOption(optvalue.groupSourceReq6, (*dgram.Groups).Unblock)},
	{IPPROTO_IPV6, MCAST_MSFILTER}:           groupFilter6.option(),
}

func (so *socket) setMulticast6(change func(*dgram.Multicast)) error {
	so.datagrams().SetOptions(func(o *dgram.Options) { change(&o.Multicast6) })
	return nil
}

// setMulticastHops takes -1 for the default.
func setMulticastHops(so *socket, n int) error {
	if n < 0 {
		n = 1
	}
	return so.setMulticast6(func(o *dgram.Multicast) { o.TTL = uint8(n) })
}

// setMulticastIf6 takes the number of an interface; 0 lets the route choose.
func setMulticastIf6(so *socket, n int) error {
	i, err := so.deviceAt(n)
	if err != nil {
		return err
	}
	return so.setMulticast6(func(o *dgram.Multicast) { o.Interface = i })
}

// IPv6Mreq is Linux's struct ipv6_mreq, for the options about multicast groups.
type IPv6Mreq struct {
	Multiaddr [16]byte // the group
	Interface uint32   // number of the interface; 0: the route to the group chooses
}

func (v optvalue) ipv6Mreq(stack *Stack) (dgram.Source, error) {
	var m IPv6Mreq
	if err := v.decode(&m); err != nil {
		return dgram.Source{}, err
	}
	return stack.group6On(m.Multiaddr, m.Interface), nil
}

// group6On returns a group on the interface with a number, or with 0 on the interface of the route to the group. The interface is nil for an
// unknown number and without a route.
func (s *Stack) group6On(group [16]byte, index uint32) dgram.Source {
	g := netip.AddrFrom16(group)
	i := s.ip.InterfaceAt(int(index))
	if index == 0 {
		i = s.ip.GroupInterface(g, netip.Addr{})
	}
	return dgram.Source{Group: g, Interface: i}
}

// leaveOption6 is an option to leave the group that decode reads. number is the offset of the interface's number in the value: with 0 the
// socket leaves the group on the first interface on which it has joined it, as on Linux.
func leaveOption6(decode func(optvalue, *Stack) (dgram.Source, error), number int) func(*socket, optvalue) error {
	return func(so *socket, v optvalue) error {
		s, err := decode(v, so.stack)
		if err != nil {
			return err
		}
		if !s.Group.IsMulticast() {
			return syscall.EINVAL
		}
		g := so.datagrams().Groups()
		if binary.NativeEndian.Uint32(v[number:]) == 0 {
			s.Interface = g.InterfaceOf(s.Group)
		}
		return leave(g, s)
	}
}

// groupReq6 decodes a struct group_req with a struct sockaddr_in6 in it.
func (v optvalue) groupReq6(stack *Stack) (dgram.Source, error) {
	g, err := v.sockaddr6(8)
	if err != nil {
		return dgram.Source{}, err
	}
	return stack.group6On(g.Addr, binary.NativeEndian.Uint32(v)), nil
}

// groupSourceReq6 decodes a struct group_source_req with structs sockaddr_in6 in it.
func (v optvalue) groupSourceReq6(stack *Stack) (dgram.Source, error) {
	s, err := v.groupReq6(stack)
	if err != nil {
		return s, err
	}
	src, err := v.sockaddr6(8 + sizeofSockaddrStorage)
	s.Addr = netip.AddrFrom16(src.Addr)
	return s, err
}

const sizeofSockaddrStorage = 128

// sockaddr6 decodes the struct sockaddr_storage at an offset, which must be of AF_INET6.
func (v optvalue) sockaddr6(at int) (a SockaddrIn6, err error) {
	if len(v) < at+sizeofSockaddrStorage {
		return a, syscall.EINVAL
	}
	if err := v[at:].decode(&a); err != nil {
		return a, err
	}
	if a.Family != AF_INET6 {
		return a, syscall.EADDRNOTAVAIL
	}
	return a, nil
}
