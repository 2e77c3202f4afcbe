package ip

import "slices"

// Options6 are the settings at the level of IPv6 that sockets of every transport have. A pointer to them is shared: a setter replaces
// the struct and never changes its fields.
type Options6 struct {
	Outgoing6
	TClass      uint8       // IPV6_TCLASS
	HopLimit    int16       // IPV6_UNICAST_HOPS; -1: the stack's default
	MinHopCount uint8       // IPV6_MINHOPCOUNT: a segment with a lower hop limit is dropped (RFC 5082)
	Discover    Discover    // IPV6_MTU_DISCOVER
	RecvErr     bool        // IPV6_RECVERR: ICMPv6 errors go to the error queue
	RecvPathMTU bool        // IPV6_RECVPATHMTU: the socket receives the path MTU when DontFrag refuses a datagram
	Preferences Preferences // IPV6_ADDR_PREFERENCES
}

// Preferences is the kind of source address that a socket prefers (RFC 5014).
type Preferences uint8

// Values of Preferences.
const (
	PreferDefault   Preferences = iota
	PreferTemporary             // IPV6_PREFER_SRC_TMP, which is the default of the stack, too
	PreferPublic                // IPV6_PREFER_SRC_PUBLIC
)

// defaults6 are the IPv6 options of a new socket.
var defaults6 = Options6{HopLimit: -1, Discover: DiscoverWant}

// IPv6 returns the options for IPv6. The caller must not change them.
func (o *SocketOptions) IPv6() *Options6 {
	if o.V6 == nil {
		return &defaults6
	}
	return o.V6
}

// SetIPv6 replaces the options for IPv6 by a copy to which change was applied.
func (o *SocketOptions) SetIPv6(change func(*Options6)) {
	next := *o.IPv6()
	change(&next)
	next.settle()
	o.V6 = &next
}

// settle derives the fields of Outgoing6 that other options decide.
func (o *Options6) settle() {
	o.NoHops = o.HopLimit == 0
	o.LinkMTU = o.Discover >= DiscoverProbe
}

// fragments reports whether datagrams larger than the MTU are sent in fragments.
func (o *Options6) fragments() bool {
	return !o.DontFrag && (o.Discover < DiscoverDo || o.Discover == DiscoverOmit)
}

// Header returns the header fields of packets of a protocol along a route of IPv6.
func (o *Options6) Header(protocol uint8) Outgoing {
	return Outgoing{
		Protocol: protocol, TOS: o.TClass, TTL: uint8(max(o.HopLimit, 0)), DontFragment: !o.fragments(), V6: &o.Outgoing6,
	}
}

// MaxFlowLabel is the largest flow label (RFC 8200 section 3).
const MaxFlowLabel = 1<<20 - 1

// Outgoing6 are the fields of Outgoing for IPv6 alone. The extension headers are whole: multiples of 8 bytes, with the length in the
// second byte. The family fills in their Next Header fields.
type Outgoing6 struct {
	FlowLabel   uint32 // 0: the stack chooses
	NoFlowLabel bool   // IPV6_AUTOFLOWLABEL is off: the label is 0 if FlowLabel is
	NoHops      bool   // the Hop Limit is 0, which TTL 0 does not mean
	LinkMTU     bool   // the path MTU does not matter, only the first link's
	DontFrag    bool   // IPV6_DONTFRAG: datagrams larger than the path MTU are refused
	MTU         int    // IPV6_MTU: bound of the size of fragments in bytes; 0: none

	HopByHop        []byte // IPV6_HOPOPTS
	RoutingDstOpts  []byte // IPV6_RTHDRDSTOPTS: destination options before the routing header
	Routing         []byte // IPV6_RTHDR
	DestinationOpts []byte // IPV6_DSTOPTS
}

// ExtensionsLen is the length of the extension headers in bytes.
func (o *Outgoing6) ExtensionsLen() int {
	if o == nil {
		return 0
	}
	return o.UnfragmentableLen() + len(o.DestinationOpts)
}

// UnfragmentableLen is the length of the extension headers that every fragment repeats, in bytes (RFC 8200 section 4.5).
func (o *Outgoing6) UnfragmentableLen() int {
	return len(o.HopByHop) + len(o.RoutingDstOpts) + len(o.Routing)
}

// Clone returns a copy that shares no memory with o.
func (o *Options6) Clone() *Options6 {
	if o == nil {
		return nil
	}
	c := *o
	for _, header := range []*[]byte{&c.HopByHop, &c.RoutingDstOpts, &c.Routing, &c.DestinationOpts} {
		*header = slices.Clone(*header)
	}
	return &c
}
