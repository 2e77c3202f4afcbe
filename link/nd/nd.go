// Package nd is the wire format of IPv6 neighbor discovery: the ICMPv6 messages of RFC 4861 section 4 and their options, on
// Ethernet (RFC 2464). It checks, reads and writes messages, and keeps no state.
package nd

import (
	"net/netip"

	"tunstack/internal/stats"
)

// Types of messages (RFC 4861 section 4).
const (
	TypeRouterSolicitation    = 133
	TypeRouterAdvertisement   = 134
	TypeNeighborSolicitation  = 135
	TypeNeighborAdvertisement = 136
	TypeRedirect              = 137
)

// HopLimit is the Hop Limit of every message: a router would have lowered it, so the sender is on the link (RFC 4861 section 3.1).
const HopLimit = 255

// Groups of a link (RFC 4291 section 2.7.1).
var (
	AllNodes   = netip.IPv6LinkLocalAllNodes()
	AllRouters = netip.IPv6LinkLocalAllRouters()
)

// SolicitedNode is the group of all hosts that may have the address a (RFC 4291 section 2.7.1).
func SolicitedNode(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, b[13], b[14], b[15]})
}

// LinkLayer is an Ethernet address; the zero value: a message has none.
type LinkLayer [6]byte

// Is reports whether an ICMPv6 type is one of neighbor discovery.
func Is(typ uint8) bool { return typ >= TypeRouterSolicitation && typ <= TypeRedirect }

// Message is a received message with the fields of its header on which its validity depends. Addresses have no zones.
type Message struct {
	Src, Dst   netip.Addr
	HopLimit   uint8
	Fragmented bool   // the datagram had a Fragment header
	Body       []byte // the ICMPv6 message of at least 8 bytes, whose checksum is right
}

// Type is the ICMPv6 type.
func (m *Message) Type() uint8 { return m.Body[0] }

// options are the options of a message.
func (m *Message) options() options { return options(m.Body[minLen(m.Type()):]) }

// Source is the link-layer address of the sender of a solicitation or a router advertisement; zero: the message does not tell.
func (m *Message) Source() LinkLayer { return m.options().linkLayer(optSourceLinkLayer) }

// linkLayerOption is the option with the link-layer address that a message may have.
func linkLayerOption(typ uint8) uint8 {
	if typ == TypeNeighborAdvertisement || typ == TypeRedirect {
		return optTargetLinkLayer
	}
	return optSourceLinkLayer
}

// minLen is the length of a message without options, in bytes.
func minLen(typ uint8) int {
	switch typ {
	case TypeRouterSolicitation:
		return 8
	case TypeRouterAdvertisement:
		return 16
	case TypeRedirect:
		return 40
	}
	return 24
}

// target is the Target Address of a neighbor solicitation or advertisement or of a Redirect.
func (m *Message) target() netip.Addr { return netip.AddrFrom16([16]byte(m.Body[8:24])) }

// Valid reports whether the message is valid (RFC 4861 sections 6.1, 7.1 and 8.1, RFC 6980 section 5), and counts it. The methods that
// read a message need a valid one.
func (m *Message) Valid(c *Counters) bool {
	if drop := m.check(&c.c); drop != nil {
		drop.Inc()
		return false
	}
	c.c.count(m.Type())
	return true
}

// check returns the reason for discarding the message; nil: it is valid.
func (m *Message) check(c *counters) *stats.Counter {
	switch {
	case m.HopLimit != HopLimit:
		return &c.DropHopLimit
	case m.Fragmented:
		return &c.DropFragment
	case m.Body[1] != 0:
		return &c.DropCode
	case len(m.Body) < minLen(m.Type()):
		return &c.DropTruncated
	}
	if drop := m.options().check(c, linkLayerOption(m.Type())); drop != nil {
		return drop
	}
	switch m.Type() {
	case TypeRouterSolicitation:
		return m.checkUnspecified(c)
	case TypeNeighborSolicitation:
		if m.Src.IsUnspecified() && m.Dst != SolicitedNode(m.target()) {
			return &c.DropUnspecified
		}
	case TypeNeighborAdvertisement:
		if m.Dst.IsMulticast() && m.Body[4]&flagSolicited != 0 {
			return &c.DropSolicited
		}
	default:
		return m.checkRouter(c)
	}
	if m.target().IsMulticast() {
		return &c.DropTarget
	}
	return m.checkUnspecified(c)
}

// checkUnspecified refuses a solicitation from :: that gives the link-layer address of the sender.
func (m *Message) checkUnspecified(c *counters) *stats.Counter {
	if m.Src.IsUnspecified() && m.Type() != TypeNeighborAdvertisement && m.Source() != (LinkLayer{}) {
		return &c.DropUnspecified
	}
	return nil
}

// checkRouter checks a message that only routers send.
func (m *Message) checkRouter(c *counters) *stats.Counter {
	if !m.Src.IsLinkLocalUnicast() {
		return &c.DropSource
	}
	if m.Type() != TypeRedirect {
		return nil
	}
	r := m.Redirect()
	switch {
	case r.Destination.IsMulticast():
		return &c.DropDestination
	case !r.Target.IsLinkLocalUnicast() && r.Target != r.Destination:
		return &c.DropTarget
	}
	return nil
}
