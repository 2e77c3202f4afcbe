// Package ip is the part of the Internet Protocol that both versions share: interfaces, addresses, routes, path MTUs, multicast
// groups, and the tables that lead a datagram to its transport. Packages ipv4 and ipv6 are the Families of it.
//
// A transport uses the Datagram that it receives, the Route that it sends along, and the Error that is reported. It does not
// use a family's header.
package ip

import (
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

// Protocol numbers of the transports.
const (
	ProtocolICMP   = 1
	ProtocolIGMP   = 2
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
)

// Link is the medium that an Interface sends through: Ethernet with ARP, a TUN device, the loopback, an embedder's callback.
type Link interface {
	// Output sends the datagram p towards nextHop, a neighbour on the link; p.Cast selects the link address. Output owns p and
	// frees it. It returns only errors that the sender should know at once (a syscall.Errno); most losses are silent.
	Output(now time.Duration, p *packet.Buffer, nextHop netip.Addr) error
	// MTU is the largest datagram in bytes.
	MTU() int
	// Features is the work that the link takes over from senders.
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
	// Input handles a whole datagram addressed to this stack and owns p; p starts after the IP header. d is valid during the
	// call.
	Input(now time.Duration, d *Datagram, p *packet.Buffer)
	// HandleError handles an ICMP error about a datagram that this protocol sent; quoted starts after its IP header and has at
	// least 8 bytes. e and quoted are valid during the call.
	HandleError(now time.Duration, e *Error, quoted []byte)
}

// Tap sees a copy of every datagram of one protocol before the transport does: a raw socket.
type Tap interface {
	// Tap is called with p starting at the IP header. p stays the caller's: a Tap that keeps it clones it.
	Tap(now time.Duration, d *Datagram, p *packet.Buffer)
	// HandleError is called with an ICMP error about a datagram of the protocol, as Protocol's HandleError is.
	HandleError(now time.Duration, e *Error, quoted []byte)
}

// Datagram holds the header fields of a received datagram. It is valid during the call that passes it.
type Datagram struct {
	Src, Dst  netip.Addr
	Protocol  uint8       // IPv6: the last Next Header
	TOS, TTL  uint8       // IPv6: Traffic Class and Hop Limit
	TotalLen  int         // of the whole datagram in bytes, from the header
	HeaderLen int         // in bytes, options and their padding included
	FlowLabel uint32      // of IPv6
	Options   []byte      // of IPv4, as received; of IPv6 the extension headers, behind a byte with the Next Header value of the first
	Cast      packet.Cast // how it was addressed: own address, broadcast or multicast (by IP destination or by link)
	In        *Interface  // the interface that received it

	RouterAlert bool // IPv6: has a Router Alert option for MLD (RFC 2711)
	Fragmented  bool // IPv6: it had a Fragment header
}

// scope gives link-local addresses the zone of the interface In.
func (d *Datagram) scope() { d.Src, d.Dst = d.In.Scoped(d.Src), d.In.Scoped(d.Dst) }

// PseudoSum is the checksum of the pseudo-header over n bytes of transport header and payload (RFC 9293 section 3.1).
func (d *Datagram) PseudoSum(n int) uint16 { return checksum.Pseudo(d.Src, d.Dst, d.Protocol, n) }

// Outgoing holds the header fields that a sender chooses. The zero value means the defaults.
type Outgoing struct {
	Protocol     uint8
	TOS, TTL     uint8 // TTL 0: the stack's default
	DontFragment bool
	Options      []byte     // of IPv4, in the form of setsockopt(IP_OPTIONS)
	V6           *Outgoing6 // of IPv6; nil: the defaults
}

// OptionsLen is the length of the options with their padding, or of the extension headers, in bytes.
func (o *Outgoing) OptionsLen() int { return (len(o.Options)+3)&^3 + o.V6.ExtensionsLen() }
