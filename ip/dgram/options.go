package dgram

import (
	"net/netip"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// Options are the settings of UDP and raw sockets.
type Options struct {
	ip.SocketOptions
	Broadcast          bool       // SO_BROADCAST
	RcvBuf             int        // SO_RCVBUF: bound of the receive queue, in bytes of payload and overhead; 0: 208 KiB
	SndBuf             int        // SO_SNDBUF, only kept because a send never waits; 0: 208 KiB
	MulticastInterface netip.Addr // IP_MULTICAST_IF: the address of the interface, and the source
	Multicast4         Multicast  // of IPv4
	Multicast6         Multicast  // of IPv6

	// Of UDP sockets only.
	ReuseAddr bool   // SO_REUSEADDR
	ReusePort bool   // SO_REUSEPORT
	NoCheck   bool   // SO_NO_CHECK: send over IPv4 without checksum
	NoCheck6  bool   // UDP_NO_CHECK6_TX: send over IPv6 without checksum (RFC 6936)
	NoCheckIn bool   // UDP_NO_CHECK6_RX: receive over IPv6 without checksum
	Cork      bool   // UDP_CORK: gather the bytes of several sends into one datagram
	Segment   uint16 // UDP_SEGMENT: a longer send leaves as datagrams of so many bytes; 0: as one

	// Of raw sockets only.
	HdrIncl    bool   // IP_HDRINCL: the bytes given to Send begin with the IP header
	ICMPFilter uint32 // ICMP_FILTER: a set bit keeps ICMP messages of that type from the socket

	Checksum    int          // IPV6_CHECKSUM: the offset of the checksum in IPv6 payloads; -1: the stack ignores it
	ICMP6Filter *ICMP6Filter // ICMP6_FILTER; nil: no message is kept from the socket
}

// ICMP6Filter is Linux's struct icmp6_filter: a set bit keeps ICMPv6 messages of that type from a socket (RFC 3542 section 3.2).
type ICMP6Filter [8]uint32

// Blocks reports whether the filter keeps messages of a type from the socket.
func (f *ICMP6Filter) Blocks(typ uint8) bool { return f[typ>>5]>>(typ&31)&1 != 0 }

// Multicast are the settings of one version of IP in which multicasts differ from unicast datagrams.
type Multicast struct {
	TTL        uint8         // IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS: 1 for a new socket; 0: multicasts stay on the stack
	Loop       bool          // IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP: on for a new socket
	OnlyJoined bool          // IP_MULTICAST_ALL, IPV6_MULTICAST_ALL off: receive only from groups that the socket has joined
	Interface  *ip.Interface // IPV6_MULTICAST_IF; nil, as for IPv4 always: the route chooses
	UnicastIf  *ip.Interface // IP_UNICAST_IF, IPV6_UNICAST_IF: the interface for unicast datagrams; nil: any
}

// multicast returns the settings of an address's version of IP.
func (o *Options) multicast(a netip.Addr) *Multicast {
	if a.Is6() {
		return &o.Multicast6
	}
	return &o.Multicast4
}

// Defaults are the settings of a new socket.
func Defaults(v ip.Versions) Options {
	m := Multicast{TTL: 1, Loop: true}
	return Options{SocketOptions: ip.NewSocketOptions(v), Multicast4: m, Multicast6: m, Checksum: -1}
}

// dontFragment reports whether datagrams are sent with DF. With DiscoverWant they are not: the stack fragments to the known path MTU.
func (o *Options) dontFragment() bool {
	return o.Discover == ip.DiscoverDo || o.Discover == ip.DiscoverProbe
}

// recvErr is IP_RECVERR or IPV6_RECVERR, for datagrams to an address.
func (o *Options) recvErr(to netip.Addr) bool {
	if to.Is6() {
		return o.IPv6().RecvErr
	}
	return o.RecvErr
}

// acceptsTooBig reports whether the sender of datagrams to an address learns that one was too big. An IPv6 one does unless it ignores path
// MTUs, as on Linux.
func (o *Options) acceptsTooBig(to netip.Addr) bool {
	if to.Is6() {
		return o.IPv6().Discover < ip.DiscoverInterface
	}
	return o.dontFragment()
}

// failsTooBig reports whether that becomes the pending error of a connected socket without an error queue: not if the stack sends fragments
// without discovery, as on Linux.
func (o *Options) failsTooBig(to netip.Addr) bool {
	return to.Is4() || o.IPv6().Discover != ip.DiscoverDont
}

// Loops reports whether multicasts to an address come back to the stack.
func (o *Options) Loops(group netip.Addr) bool { return o.multicast(group).Loop }

// Clone returns a copy that shares no memory with o.
func (o Options) Clone() Options {
	o.SocketOptions = o.SocketOptions.Clone()
	if f := o.ICMP6Filter; f != nil {
		filter := *f
		o.ICMP6Filter = &filter
	}
	return o
}

// Headers are the IP header fields that Options select. They are made once per change of the Options, not once per datagram.
type Headers struct{ v4, v6 casts }

// casts are the header fields of one version of IP.
type casts struct{ unicast, multicast ip.Outgoing }

// Headers returns the headers for a transport.
func (o *Options) Headers(protocol uint8) (h Headers) {
	h.v4.unicast = ip.Outgoing{Protocol: protocol, TOS: o.TOS, TTL: o.TTL, DontFragment: o.dontFragment(), Options: o.IPOptions}
	h.v4.multicast = h.v4.unicast
	h.v4.multicast.TTL = o.Multicast4.TTL
	h.v6.unicast = o.IPv6().Header(protocol)
	h.v6.multicast = h.v6.unicast
	h.v6.multicast.TTL = o.Multicast6.TTL
	return h
}

// For is the header for datagrams along a route.
func (h *Headers) For(r *ip.Route) ip.Outgoing {
	c := &h.v4
	if r.Dst.Is6() {
		c = &h.v6
	}
	if r.Cast() == packet.Multicast {
		return c.multicast
	}
	return c.unicast
}

// interfaceFor is the interface that the options choose for datagrams to dst; nil: none.
func (o *Options) interfaceFor(dst netip.Addr) *ip.Interface {
	m := o.multicast(dst)
	if dst.IsMulticast() {
		return m.Interface
	}
	return m.UnicastIf
}

// Route finds the route to dst for a socket with the local address bound. src, when valid, is the source address; otherwise it is
// bound, if that is a unicast address. Errors: those of Versions.CanReach and ip.Stack.Route, EACCES for a broadcast without SO_BROADCAST.
func (o *Options) Route(stack *ip.Stack, dst, src, bound netip.Addr) (*ip.Route, error) {
	dst = o.Versions.ThisHost(dst, bound)
	local := bound
	if src.IsValid() { // RouteVia compares its version with that of dst
		local = o.Versions.Wildcard()
	}
	if err := o.Versions.CanReach(dst, local); err != nil {
		return nil, err
	}
	switch {
	case src.IsValid():
	case !bound.IsUnspecified() && stack.CastOf(bound) == packet.Unicast:
		src = bound
	case dst.IsMulticast() && dst.Is4():
		src = o.MulticastInterface
	}
	via := o.Via()
	if via.Device == nil && dst.Zone() == "" {
		via.Device = o.interfaceFor(dst)
	}
	route, err := stack.RouteVia(dst, src, via)
	if err == nil && route.Cast() == packet.Broadcast && !o.Broadcast {
		return nil, syscall.EACCES
	}
	return route, err
}
