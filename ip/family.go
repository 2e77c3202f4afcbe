package ip

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip/membership"
)

// Family is one version of the Internet Protocol: its header, and the rules for its addresses.
type Family interface {
	// HeaderLen is the length of a header without options, in bytes.
	HeaderLen() int
	// MaxPayload is the largest transport message of a datagram without options, in bytes.
	MaxPayload() int
	// MinMTU is the smallest MTU that a link may have, in bytes.
	MinMTU() int
	// MinPMTU is the floor of path MTU estimates, in bytes.
	MinPMTU() int
	// Broadcast is the directed broadcast address of a network; the zero Addr if there is none.
	Broadcast(network netip.Prefix) netip.Addr
	// Loopback is the prefix of the loopback interface.
	Loopback() netip.Prefix
	// AllHosts is the multicast group that every interface is in.
	AllHosts() netip.Addr
	// AllRouters are the multicast groups that every interface of a router is in.
	AllRouters() []netip.Addr
	// AddressGroup is the multicast group that an interface with the address a is in; the zero Addr if there is none.
	AddressGroup(a netip.Addr) netip.Addr
	// RouterAnycast is the anycast address of all routers in a network; the zero Addr if there is none.
	RouterAnycast(network netip.Prefix) netip.Addr

	// Membership configures the protocol that reports the groups of an interface. The caller sets MTU and Rand.
	Membership() membership.Config
	// SendReport sends a message of that protocol.
	SendReport(now time.Duration, i *Interface, m *membership.Message)

	// Input takes a received datagram from the link and owns p from then on. It is safe for concurrent use.
	Input(now time.Duration, i *Interface, p *packet.Buffer)
	// Send sends p, a transport header and its payload, along r: see Stack.Send.
	Send(now time.Duration, r *Route, o Outgoing, p *packet.Buffer) error
	// SendRaw sends p, which starts with a header made by the caller, along r: see Stack.SendRaw.
	SendRaw(now time.Duration, r *Route, p *packet.Buffer) error
	// Report sends an ICMP error about the datagram p, which starts at its IP header and stays the caller's. It sends nothing
	// where the RFCs forbid it, or beyond the rate limit.
	Report(now time.Duration, e Error, d *Datagram, p *packet.Buffer)

	// Parse reads the header at the start of b; b may end anywhere after the header, as quotes in ICMP errors do. Parse leaves
	// Cast and In zero. It returns false for a malformed header.
	Parse(b []byte) (Datagram, bool)
	// ReplyOptions turns the options of a received datagram into the options of its answer; nil: none.
	ReplyOptions(received []byte) []byte
}

// families are the registered Families, IPv4 first.
type families [2]Family

func index(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// FamilyOf is the family of an address, nil if the stack does not have it. The caller unmaps IPv4-mapped addresses.
func (s *Stack) FamilyOf(a netip.Addr) Family {
	if !a.IsValid() {
		return nil
	}
	return s.families[index(a)]
}

// byVersion is the family of a received datagram.
func (f *families) byVersion(b []byte) Family {
	if len(b) == 0 {
		return nil
	}
	switch b[0] >> 4 {
	case 4:
		return f[0]
	case 6:
		return f[1]
	}
	return nil
}
