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
	RcvBuf             int           // bytes of payload and overhead that may wait; 0: 208 KiB
	SndBuf             int           // SO_SNDBUF; nothing waits to be sent, so that it is only kept; 0: 208 KiB
	MulticastTTL       uint8         // 1 for a new socket; 0: multicasts stay on this host
	MulticastLoop      bool          // IP_MULTICAST_LOOP, on for a new socket
	MulticastInterface netip.Addr    // IP_MULTICAST_IF
	UnicastIf          *ip.Interface // IP_UNICAST_IF: that unicast datagrams leave by; nil: any
	OnlyJoined         bool          // IP_MULTICAST_ALL off: receive only from groups that the socket has joined

	// Of UDP sockets only.
	ReuseAddr bool // SO_REUSEADDR
	ReusePort bool // SO_REUSEPORT
	NoCheck   bool // SO_NO_CHECK: send without checksum
	Cork      bool // UDP_CORK: gather what is sent into one datagram

	// Of raw sockets only.
	HdrIncl    bool   // IP_HDRINCL: Send is given the IP header too
	ICMPFilter uint32 // ICMP_FILTER: a set bit keeps ICMP messages of that type from the socket
}

// Defaults are the settings of a new socket.
func Defaults() Options {
	return Options{SocketOptions: ip.DefaultSocketOptions, MulticastTTL: 1, MulticastLoop: true}
}

// dontFragment says whether datagrams are sent with DF. With DiscoverWant, too, the stack fragments to the path MTU that it knows.
func (o *Options) dontFragment() bool {
	return o.Discover == ip.DiscoverDo || o.Discover == ip.DiscoverProbe
}

// Stays says whether datagrams that are addressed like cast do not leave the host.
func (o *Options) Stays(cast packet.Cast) bool {
	return cast == packet.Multicast && o.MulticastTTL == 0
}

// Clone returns a copy that shares no memory with o.
func (o Options) Clone() Options {
	o.SocketOptions = o.SocketOptions.Clone()
	return o
}

// Headers are what Options mean for IP. They are made once per change of the Options instead of once per datagram.
type Headers struct{ unicast, multicast ip.Outgoing }

// Headers returns the headers for a transport.
func (o *Options) Headers(protocol uint8) Headers {
	h := ip.Outgoing{Protocol: protocol, TOS: o.TOS, TTL: o.TTL, DontFragment: o.dontFragment(), Options: o.IPOptions}
	m := h
	m.TTL = o.MulticastTTL
	return Headers{h, m}
}

// For is the header for datagrams that are addressed like cast.
func (h *Headers) For(cast packet.Cast) ip.Outgoing {
	if cast == packet.Multicast {
		return h.multicast
	}
	return h.unicast
}

// Route finds the way to dst for a socket bound to an address. src, when valid, is the source address to use; else it is
// the bound one, unless that is no host's. Errors: EAFNOSUPPORT, EACCES for a broadcast without SO_BROADCAST, those of ip.Stack.Route.
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
