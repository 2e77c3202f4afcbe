package nd

import "net/netip"

// Flags of a neighbor advertisement (RFC 4861 section 4.4).
const (
	flagRouter    = 0x80
	flagSolicited = 0x40
	flagOverride  = 0x20
)

// NeighborSolicitation asks for the link-layer address of Target (RFC 4861 section 4.3).
type NeighborSolicitation struct {
	Target netip.Addr
	Source LinkLayer // of the sender
	Nonce  []byte    // random, at least 6 bytes, by which a host knows its own solicitation again (RFC 7527 section 4.1); nil: none
}

// NeighborSolicitation reads a valid neighbor solicitation. Nonce is a part of Body.
func (m *Message) NeighborSolicitation() NeighborSolicitation {
	return NeighborSolicitation{m.target(), m.Source(), m.options().first(optNonce)}
}

// Append appends the message, with a zero checksum.
func (s *NeighborSolicitation) Append(b []byte) []byte {
	b = appendHeader(b, TypeNeighborSolicitation, 0, s.Target)
	b = appendLinkLayer(b, optSourceLinkLayer, s.Source)
	if s.Nonce != nil {
		b = appendOption(b, optNonce, s.Nonce)
	}
	return b
}

// NeighborAdvertisement gives the link-layer address of Target (RFC 4861 section 4.4).
type NeighborAdvertisement struct {
	Target        netip.Addr
	Router        bool      // the sender is a router
	Solicited     bool      // the message answers a solicitation
	Override      bool      // TargetAddress replaces the one in a neighbour cache
	TargetAddress LinkLayer // of Target
}

// NeighborAdvertisement reads a valid neighbor advertisement.
func (m *Message) NeighborAdvertisement() NeighborAdvertisement {
	flags := m.Body[4]
	return NeighborAdvertisement{
		Target: m.target(), Router: flags&flagRouter != 0, Solicited: flags&flagSolicited != 0, Override: flags&flagOverride != 0,
		TargetAddress: m.options().linkLayer(optTargetLinkLayer),
	}
}

// Append appends the message, with a zero checksum.
func (a *NeighborAdvertisement) Append(b []byte) []byte {
	var flags uint8
	for _, f := range [...]struct {
		set bool
		bit uint8
	}{{a.Router, flagRouter}, {a.Solicited, flagSolicited}, {a.Override, flagOverride}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = appendHeader(b, TypeNeighborAdvertisement, flags, a.Target)
	return appendLinkLayer(b, optTargetLinkLayer, a.TargetAddress)
}

// appendHeader appends the start of a message with a Target Address.
func appendHeader(b []byte, typ, flags uint8, target netip.Addr) []byte {
	a := target.As16()
	return append(append(b, typ, 0, 0, 0, flags, 0, 0, 0), a[:]...)
}

// Redirect names a better first hop to Destination: Target is a router, or, if it is Destination itself, a neighbor (RFC 4861
// section 4.5).
type Redirect struct {
	Target, Destination netip.Addr
	TargetAddress       LinkLayer // of Target
	Redirected          []byte    // the start of the datagram that caused the message, from its IP header; nil: none
}

const redirectedReserved = 6 // bytes before the quoted datagram in its option

// Redirect reads a valid Redirect. Redirected is a part of Body, and may have padding at its end.
func (m *Message) Redirect() Redirect {
	o := m.options()
	r := Redirect{
		Target: m.target(), Destination: netip.AddrFrom16([16]byte(m.Body[24:40])), TargetAddress: o.linkLayer(optTargetLinkLayer),
	}
	if content := o.first(optRedirectedHeader); content != nil {
		r.Redirected = content[redirectedReserved:]
	}
	return r
}

// Append appends the message, with a zero checksum.
func (r *Redirect) Append(b []byte) []byte {
	b = appendHeader(b, TypeRedirect, 0, r.Target)
	d := r.Destination.As16()
	b = append(b, d[:]...)
	b = appendLinkLayer(b, optTargetLinkLayer, r.TargetAddress)
	if r.Redirected != nil {
		b = appendOption(b, optRedirectedHeader, append(make([]byte, redirectedReserved), r.Redirected...))
	}
	return b
}
