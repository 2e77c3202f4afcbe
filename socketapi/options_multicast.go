package socketapi

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"tunstack/ip/dgram"
)

// multicastOptions are the options of datagram and raw sockets for the sources of multicast groups (RFC 3678).
var multicastOptions = map[optname]option{
	{IPPROTO_IP, IP_MULTICAST_ALL}: number(0, 1,
		func(so *socket) int { return bit(!so.datagrams().Options().Multicast4.OnlyJoined) },
		func(so *socket, n int) error {
			so.datagrams().SetOptions(func(o *dgram.Options) { o.Multicast4.OnlyJoined = n == 0 })
			return nil
		}),

	{IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP}:  {set: sourceOption(optvalue.mreqSource, (*dgram.Groups).AddSource)},
	{IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP}: {set: sourceOption(optvalue.mreqSource, (*dgram.Groups).DropSource)},
	{IPPROTO_IP, IP_BLOCK_SOURCE}:           {set: sourceOption(optvalue.mreqSource, (*dgram.Groups).Block)},
	{IPPROTO_IP, IP_UNBLOCK_SOURCE}:         {set: sourceOption(optvalue.mreqSource, (*dgram.Groups).Unblock)},

	{IPPROTO_IP, MCAST_JOIN_GROUP}:         {set: sourceOption(optvalue.groupReq, join)},
	{IPPROTO_IP, MCAST_LEAVE_GROUP}:        {set: sourceOption(optvalue.groupReq, leave)},
	{IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP}:  {set: sourceOption(optvalue.groupSourceReq, (*dgram.Groups).AddSource)},
	{IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP}: {set: sourceOption(optvalue.groupSourceReq, (*dgram.Groups).DropSource)},
	{IPPROTO_IP, MCAST_BLOCK_SOURCE}:       {set: sourceOption(optvalue.groupSourceReq, (*dgram.Groups).Block)},
	{IPPROTO_IP, MCAST_UNBLOCK_SOURCE}:     {set: sourceOption(optvalue.groupSourceReq, (*dgram.Groups).Unblock)},

	{IPPROTO_IP, IP_MSFILTER}:    ipMsfilter.option(),
	{IPPROTO_IP, MCAST_MSFILTER}: groupFilter.option(),
}

func join(g *dgram.Groups, s dgram.Source) error  { return g.Join(s.Group, s.Interface) }
func leave(g *dgram.Groups, s dgram.Source) error { return g.Leave(s.Group, s.Interface) }

// sourceOption is an option whose value decode reads and change applies.
func sourceOption(decode func(optvalue, *Stack) (dgram.Source, error), change func(*dgram.Groups, dgram.Source) error) func(*socket, optvalue) error {
	return func(so *socket, v optvalue) error {
		s, err := decode(v, so.stack)
		if err != nil {
			return err
		}
		return change(so.datagrams().Groups(), s)
	}
}

// groupOn returns the group in m on the interface with the number in m. Without a number it is the interface with the address in m, and without
// an address that of the route to the group. The interface is nil if the stack has no such interface or route.
func (s *Stack) groupOn(m *IPMreqn) dgram.Source {
	group := netip.AddrFrom4(m.Multiaddr)
	if m.Ifindex != 0 {
		return dgram.Source{Group: group, Interface: s.ip.InterfaceAt(int(m.Ifindex))}
	}
	return dgram.Source{Group: group, Interface: s.ip.GroupInterface(group, netip.AddrFrom4(m.Address))}
}

func (v optvalue) mreqnSource(stack *Stack) (dgram.Source, error) {
	var m IPMreqn
	if err := v.mreqn(&m); err != nil {
		return dgram.Source{}, err
	}
	return stack.groupOn(&m), nil
}

// IPMreqSource is Linux's struct ip_mreq_source, for the options about a source of a group.
type IPMreqSource struct {
	Multiaddr  [4]byte // the group
	Interface  [4]byte // a local address, which selects its interface
	Sourceaddr [4]byte
}

func (v optvalue) mreqSource(stack *Stack) (s dgram.Source, err error) {
	var m IPMreqSource
	if err := v.decode(&m); err != nil {
		return s, err
	}
	s = stack.groupOn(&IPMreqn{Multiaddr: m.Multiaddr, Address: m.Interface})
	s.Addr = netip.AddrFrom4(m.Sourceaddr)
	return s, nil
}

// SockaddrStorage is Linux's struct sockaddr_storage with a struct sockaddr_in in it.
type SockaddrStorage struct {
	Family uint16
	Port   [2]byte // big-endian
	Addr   [4]byte
	_      [120]byte
}

// GroupReq is Linux's struct group_req on 64-bit machines.
type GroupReq struct {
	Interface uint32 // as IPMreqn.Ifindex
	_         [4]byte
	Group     SockaddrStorage
}

// GroupSourceReq is Linux's struct group_source_req on 64-bit machines.
type GroupSourceReq struct {
	GroupReq
	Source SockaddrStorage
}

func (v optvalue) groupReq(stack *Stack) (s dgram.Source, err error) {
	var g GroupReq
	if len(v) < binary.Size(g) {
		return s, syscall.EINVAL
	}
	if err := v.decode(&g); err != nil {
		return s, err
	}
	if g.Group.Family != AF_INET {
		return s, syscall.EINVAL
	}
	return stack.groupOn(&IPMreqn{Multiaddr: g.Group.Addr, Ifindex: int32(g.Interface)}), nil
}

func (v optvalue) groupSourceReq(stack *Stack) (dgram.Source, error) {
	var g GroupSourceReq
	if err := v.decode(&g); err != nil {
		return dgram.Source{}, err
	}
	if g.Source.Family != AF_INET {
		return dgram.Source{}, syscall.EADDRNOTAVAIL
	}
	s, err := v.groupReq(stack)
	s.Addr = netip.AddrFrom4(g.Source.Addr)
	return s, err
}
