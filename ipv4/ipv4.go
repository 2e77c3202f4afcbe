// Package ipv4 is the Internet Protocol (RFC 791, RFC 1122 section 3): headers, routes, fragments, forwarding.
//
// Links call Interface.Input with what they receive; transports register themselves once and call Send.
package ipv4

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
)

// Protocol numbers of the transports.
const (
	ProtocolICMP = 1
	ProtocolIGMP = 2
	ProtocolTCP  = 6
	ProtocolUDP  = 17
)

// Link is what an Interface sends through: Ethernet with ARP, a TUN device, the loopback, an embedder's callback.
type Link interface {
	// Output sends the datagram p towards nextHop, a neighbour on the link; p.Cast says how to address it. It takes
	// p over and frees it. An error is one the sender should know at once (a syscall.Errno); most losses are silent.
	Output(now time.Duration, p *packet.Buffer, nextHop netip.Addr) error
	// MTU is the largest datagram in octets.
	MTU() int
	// Features is what the link takes over from senders.
	Features() packet.Features
}

// MulticastFilter is a Link that receives only the multicast groups it is told to, as Ethernet does (RFC 1112 section 7.2).
type MulticastFilter interface {
	// Join receives a group until Leave has been called as often.
	Join(group netip.Addr)
	Leave(group netip.Addr)
}

// Protocol is a transport above IP.
type Protocol interface {
	// Input handles a whole datagram addressed to this stack and takes p over; p starts after the IP header.
	// h is valid during the call.
	Input(now time.Duration, h *Header, p *packet.Buffer)
	// Advise handles an ICMP error about a datagram that this protocol sent; quoted starts after its IP header
	// and has at least 8 octets. All is valid during the call.
	Advise(now time.Duration, e *Error, quoted []byte)
}

// Tap sees a copy of every datagram of one protocol before the transport does: a raw socket.
type Tap interface {
	// Tap is called with p starting at the IP header. p stays the caller's: who wants it clones it.
	Tap(now time.Duration, h *Header, p *packet.Buffer)
	// Advise is called with an ICMP error about a datagram of the protocol, as Protocol's Advise is.
	Advise(now time.Duration, e *Error, quoted []byte)
}

// Reporter sends ICMP errors on ipv4's behalf; package icmp registers one.
type Reporter interface {
	// Report sends an error about the datagram p, which starts at its IP header and stays the caller's.
	// It applies the rules on when to stay silent (RFC 1122 section 3.2.2) and the rate limit itself.
	Report(now time.Duration, e Error, h *Header, p *packet.Buffer)
}

// ICMP error types and codes (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 5.2.7).
const (
	Unreachable      = 3
	SourceQuench     = 4
	Redirect         = 5
	TimeExceeded     = 11
	ParameterProblem = 12

	CodeNet               = 0 // of Unreachable
	CodeHost              = 1
	CodeProtocol          = 2
	CodePort              = 3
	CodeFragNeeded        = 4
	CodeSourceRouteFailed = 5
	CodeAdminProhibited   = 13

	CodeTTL        = 0 // of TimeExceeded
	CodeReassembly = 1

	CodeRedirectHost = 1 // of Redirect
)

// Error is an ICMP error message, received or to be sent.
type Error struct {
	Type, Code uint8
	MTU        uint16     // Unreachable/CodeFragNeeded: the next hop's MTU (RFC 1191), 0 from old routers
	Pointer    uint8      // ParameterProblem: the offending octet
	Gateway    netip.Addr // Redirect
	From       netip.Addr // who sent it; of a received one
	Quoted     *Header    // the header of the datagram it is about; of a received one
	Datagram   []byte     // of a received one: what it quotes of that datagram, from the IP header on
	Local      bool       // raised by this stack itself, about a next hop that does not answer
}
