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
		func(so *socket) int { return bit(!so.datagrams().Options().OnlyJoined) },
		func(so *socket, n int) error {
			so.datagrams().SetOptions(func(o *dgram.Options) { o.OnlyJoined = n == 0 })
			return nil
		}),

	{IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP}:  {set: sourceOption(optvalue.mreqSource, (*dgram.Socket).AddSource)},
	{IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP}: {set: sourceOption(optvalue.mreqSource, (*dgram.Socket).DropSource)},
	{IPPROTO_IP, IP_BLOCK_SOURCE}:           {set: sourceOption(optvalue.mreqSource, block)},
	{IPPROTO_IP, IP_UNBLOCK_SOURCE}:         {set: sourceOption(optvalue.mreqSource, unblock)},

	{IPPROTO_IP, MCAST_JOIN_GROUP}:         {set: sourceOption(optvalue.groupReq, join)},
	{IPPROTO_IP, MCAST_LEAVE_GROUP}:        {set: sourceOption(optvalue.groupReq, leave)},
	{IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP}:  {set: sourceOption(optvalue.groupSourceReq, (*dgram.Socket).AddSource)},
	{IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP}: {set: sourceOption(optvalue.groupSourceReq, (*dgram.Socket).DropSource)},
	{IPPROTO_IP, MCAST_BLOCK_SOURCE}:       {set: sourceOption(optvalue.groupSourceReq, block)},
	{IPPROTO_IP, MCAST_UNBLOCK_SOURCE}:     {set: sourceOption(optvalue.groupSourceReq, unblock)},
}

func block(d *dgram.Socket, s dgram.Source) error   { return d.Groups().Block(s) }
func unblock(d *dgram.Socket, s dgram.Source) error { return d.Groups().Unblock(s) }
func join(d *dgram.Socket, s dgram.Source) error    { return d.Join(s.Group, s.Interface) }
func leave(d *dgram.Socket, s dgram.Source) error   { return d.Leave(s.Group, s.Interface) }

// sourceOption is an option whose value decode reads and change applies.
func sourceOption(decode func(optvalue, *Stack) (dgram.Source, error), change func(*dgram.Socket, dgram.Source) error) func(*socket, optvalue) error {
	return func(so *socket, v optvalue) error {
		s, err := decode(v, so.stack)
		if err != nil {
			return err
		}
		return change(so.datagrams(), s)
	}
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
	s = dgram.Source{Group: netip.AddrFrom4(m.Multiaddr), Addr: netip.AddrFrom4(m.Sourceaddr)}
	s.Interface, err = stack.multicastInterface(&IPMreqn{Address: m.Interface})
	return s, err
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
	s.Group = netip.AddrFrom4(g.Group.Addr)
	s.Interface, err = stack.multicastInterface(&IPMreqn{Ifindex: int32(g.Interface)})
	return s, err
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
