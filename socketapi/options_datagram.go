package socketapi

import (
	"maps"
	"math"
	"net/netip"
	"syscall"

	"tunstack/ip/dgram"
)

// udpOptions are the options of a SOCK_DGRAM socket.
var udpOptions = datagramOptions(map[optname]option{
	{SOL_SOCKET, SO_REUSEADDR}: dgramFlag(func(o *dgram.Options) *bool { return &o.ReuseAddr }),
	{SOL_SOCKET, SO_REUSEPORT}: dgramFlag(func(o *dgram.Options) *bool { return &o.ReusePort }),
	{SOL_SOCKET, SO_PEEK_OFF}: number(math.MinInt32, math.MaxInt32,
		func(so *socket) int { return so.datagrams().PeekOffset() },
		func(so *socket, n int) error { so.datagrams().SetPeekOffset(n); return nil }),
	{SOL_SOCKET, SO_NO_CHECK}:       dgramFlag(func(o *dgram.Options) *bool { return &o.NoCheck }),
	{IPPROTO_UDP, UDP_NO_CHECK6_TX}: dgramFlag(func(o *dgram.Options) *bool { return &o.NoCheck6 }),
	{IPPROTO_UDP, UDP_NO_CHECK6_RX}: dgramFlag(func(o *dgram.Options) *bool { return &o.NoCheckIn }),
	{IPPROTO_UDP, UDP_SEGMENT}: number(0, math.MaxUint16,
		func(so *socket) int { return int(so.datagrams().Options().Segment) },
		func(so *socket, n int) error {
			so.datagrams().SetOptions(func(o *dgram.Options) { o.Segment = uint16(n) })
			return nil
		}),
	{IPPROTO_UDP, UDP_CORK}: flag(
		func(so *socket) bool { return so.datagrams().Options().Cork },
		func(so *socket, on bool) { so.endpoint.(*datagram).SetCork(on) }),
})

// pingOptions are the options of a SOCK_DGRAM socket with IPPROTO_ICMP.
var pingOptions = datagramOptions(map[optname]option{})

// rawOptions are the options of a SOCK_RAW socket.
var rawOptions = datagramOptions(map[optname]option{
	{IPPROTO_IP, IP_HDRINCL}: dgramFlag(func(o *dgram.Options) *bool { return &o.HdrIncl }),
	{SOL_RAW, ICMP_FILTER}: number(math.MinInt32, math.MaxInt32,
		func(so *socket) int { return int(int32(so.datagrams().Options().ICMPFilter)) },
		func(so *socket, n int) error {
			so.datagrams().SetOptions(func(o *dgram.Options) { o.ICMPFilter = uint32(n) })
			return nil
		}),
})

// datagramOptions adds to own the options that datagram and raw sockets share.
func datagramOptions(own map[optname]option) map[optname]option {
	maps.Copy(own, multicastOptions)
	maps.Copy(own, map[optname]option{
		{SOL_SOCKET, SO_BROADCAST}:   dgramFlag(func(o *dgram.Options) *bool { return &o.Broadcast }),
		{SOL_SOCKET, SO_TIMESTAMP}:   timestamp(SO_TIMESTAMP),
		{SOL_SOCKET, SO_TIMESTAMPNS}: timestamp(SO_TIMESTAMPNS),
		{SOL_SOCKET, SO_RCVBUF}:      buffer(minReceiveBuffer, dgramBuffer(func(o *dgram.Options) *int { return &o.RcvBuf })),
		{SOL_SOCKET, SO_SNDBUF}:      buffer(minSendBuffer, dgramBuffer(func(o *dgram.Options) *int { return &o.SndBuf })),

		{IPPROTO_IP, IP_MULTICAST_TTL}:   number(-1, math.MaxUint8, getMulticastTTL, setMulticastTTL),
		{IPPROTO_IP, IP_MULTICAST_LOOP}:  dgramFlag(func(o *dgram.Options) *bool { return &o.Multicast4.Loop }),
		{IPPROTO_IP, IP_MULTICAST_IF}:    {get: getMulticastIf, set: setMulticastIf},
		{IPPROTO_IP, IP_ADD_MEMBERSHIP}:  {set: sourceOption(optvalue.mreqnSource, join)},
		{IPPROTO_IP, IP_DROP_MEMBERSHIP}: {set: sourceOption(optvalue.mreqnSource, leave)},
	})
	return own
}

// dgramFlag is an option that is a bool of dgram.Options.
func dgramFlag(field func(*dgram.Options) *bool) option {
	return flag(
		func(so *socket) bool { o := so.datagrams().Options(); return *field(&o) },
		func(so *socket, on bool) { so.datagrams().SetOptions(func(o *dgram.Options) { *field(o) = on }) })
}

// timestamp is SO_TIMESTAMP or SO_TIMESTAMPNS, of which one turns the other off.
func timestamp(name int32) option {
	return flag(
		func(so *socket) bool { return so.timestamp.Load() == name },
		func(so *socket, on bool) { so.timestamp.Store(name * int32(bit(on))) })
}

func getMulticastTTL(so *socket) int { return int(so.datagrams().Options().Multicast4.TTL) }

// setMulticastTTL takes -1 for the default.
func setMulticastTTL(so *socket, n int) error {
	if n < 0 {
		n = 1
	}
	so.datagrams().SetOptions(func(o *dgram.Options) { o.Multicast4.TTL = uint8(n) })
	return nil
}

func getMulticastIf(so *socket) (any, error) {
	if a := so.datagrams().Options().MulticastInterface; a.Is4() {
		return a.As4(), nil
	}
	return [4]byte{}, nil
}

// setMulticastIf takes an address (struct in_addr), or a struct ip_mreqn.
func setMulticastIf(so *socket, v optvalue) error {
	var m IPMreqn
	if len(v) == 4 {
		m.Address = [4]byte(v)
	} else if err := v.mreqn(&m); err != nil {
		return err
	}
	iface, err := so.stack.multicastInterface(&m)
	if err != nil || iface.IsValid() && !so.stack.ip.IsLocal(iface) {
		return syscall.EADDRNOTAVAIL
	}
	so.datagrams().SetOptions(func(o *dgram.Options) { o.MulticastInterface = iface })
	return nil
}

// mreqn decodes a struct ip_mreqn, or a struct ip_mreq, which lacks its end.
func (v optvalue) mreqn(m *IPMreqn) error {
	if len(v) == 8 {
		v = append(v[:8:8], 0, 0, 0, 0)
	}
	return v.decode(m)
}

// multicastInterface is the address of the interface that m names; the zero Addr when it names none.
func (s *Stack) multicastInterface(m *IPMreqn) (netip.Addr, error) {
	if m.Ifindex != 0 {
		if i := s.ip.InterfaceAt(int(m.Ifindex)); i != nil {
			for _, a := range i.Addresses() {
				if a.Addr().Is4() {
					return a.Addr(), nil
				}
			}
		}
		return netip.Addr{}, syscall.ENODEV
	}
	if m.Address == [4]byte{} {
		return netip.Addr{}, nil
	}
	return netip.AddrFrom4(m.Address), nil
}
