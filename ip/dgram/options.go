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
	Broadcast          bool          // SO_BROADCAST
	RcvBuf             int           // SO_RCVBUF: bound of the receive queue, in bytes of payload and overhead; 0: 208 KiB
	SndBuf             int           // SO_SNDBUF, only kept because a send never waits; 0: 208 KiB
	MulticastTTL       uint8         // 1 for a new socket; 0: multicasts stay on the stack
	MulticastLoop      bool          // IP_MULTICAST_LOOP, on for a new socket
	MulticastInterface netip.Addr    // IP_MULTICAST_IF
	UnicastIf          *ip.Interface // IP_UNICAST_IF: the interface for unicast datagrams; nil: any
	OnlyJoined         bool          // IP_MULTICAST_ALL off: receive only from groups that the socket has joined

	// Of UDP sockets only.
	ReuseAddr bool // SO_REUSEADDR
	ReusePort bool // SO_REUSEPORT
	NoCheck   bool // SO_NO_CHECK: send without checksum
	Cork      bool // UDP_CORK: gather the bytes of several sends into one datagram

	// Of raw sockets only.
	HdrIncl    bool   // IP_HDRINCL: the bytes given to Send begin with the IP header
	ICMPFilter uint32 // ICMP_FILTER: a set bit keeps ICMP messages of that type from the socket
}

// Defaults are the settings of a new socket.
func Defaults() Options {
	return Options{SocketOptions: ip.DefaultSocketOptions, MulticastTTL: 1, MulticastLoop: true}
}

// dontFragment reports whether datagrams are sent with DF. With DiscoverWant they are not: the stack fragments to the known path MTU.
func (o *Options) dontFragment() bool {
	return o.Discover == ip.DiscoverDo || o.Discover == ip.DiscoverProbe
}

// Stays reports whether datagrams to an address of the kind cast stay on the stack.
func (o *Options) Stays(cast packet.Cast) bool {
	return cast == packet.Multicast && o.MulticastTTL == 0
}

// Clone returns a copy that shares no memory with o.
func (o Options) Clone() Options {
	o.SocketOptions = o.SocketOptions.Clone()
	return o
}

// Headers are the IP header fields that Options select. They are made once per change of the Options, not once per datagram.
type Headers struct{ unicast, multicast ip.Outgoing }

// Headers returns the headers for a transport.
func (o *Options) Headers(protocol uint8) Headers {
	h := ip.Outgoing{Protocol: protocol, TOS: o.TOS, TTL: o.TTL, DontFragment: o.dontFragment(), Options: o.IPOptions}
	m := h
	m.TTL = o.MulticastTTL
	return Headers{h, m}
}

// For is the header for datagrams to an address of the kind cast.
func (h *Headers) For(cast packet.Cast) ip.Outgoing {
	if cast == packet.Multicast {
		return h.multicast
	}
	return h.unicast
}

// Route finds the route to dst for a socket with the local address bound. src, when valid, is the source address; otherwise it is
// bound, if that is an address of the stack. Errors: EAFNOSUPPORT, EACCES for a broadcast without SO_BROADCAST, those of ip.Stack.Route.
func (o *Options) Route(stack *ip.Stack, dst, src, bound netip.Addr) (*ip.Route, error) {
	switch {
	case !dst.Is4():
		return nil, syscall.EAFNOSUPPORT
	case src.IsValid():
	case stack.IsLocal(bound):
		src = bound
	case dst.IsMulticast():
		src = o.MulticastInterface
	}
	via := o.Via()
	if via.Device == nil && !dst.IsMulticast() {
		via.Device = o.UnicastIf
	}
	route, err := stack.RouteVia(dst, src, via)
	if err == nil && route.Cast() == packet.Broadcast && !o.Broadcast {
		return nil, syscall.EACCES
	}
	return route, err
}
