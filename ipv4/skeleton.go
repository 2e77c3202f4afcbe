package ipv4

import (
	"net/netip"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
)

// Header is a parsed IPv4 header.
type Header struct {
	TOS      uint8
	TotalLen uint16
	ID       uint16
	DF, MF   bool
	Offset   uint16 // of the fragment, in octets
	TTL      uint8
	Protocol uint8
	Src, Dst netip.Addr
	Options  []byte      // raw, as received; valid as long as the packet
	Cast     packet.Cast // how it was addressed: own address, broadcast or multicast (by IP destination or by link)
	If       *Interface  // where it came in
}

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Clock  clock.Clock
	Timers *timer.Queue
	Secret [16]byte // keys the choice of identifications
}

// Stack is the IP layer of one host.
type Stack struct{}

// New returns a Stack without interfaces.
func New(cfg Config) *Stack { panic("skeleton") }

// Interface is one attachment of a Stack to a link.
type Interface struct{}

// AddInterface attaches a link.
func (s *Stack) AddInterface(name string, l Link) (*Interface, error) { panic("skeleton") }

// Input takes a received datagram from the link. It takes p over.
func (i *Interface) Input(now time.Duration, p *packet.Buffer) { panic("skeleton") }

// Unreachable is called by the link for a datagram whose next hop did not answer. It takes p over.
func (i *Interface) Unreachable(now time.Duration, p *packet.Buffer) { panic("skeleton") }

// Name, Link, MTU, Stack...
func (i *Interface) Name() string { panic("skeleton") }

// AddAddress gives the interface an address; the connected network becomes a route.
func (i *Interface) AddAddress(a netip.Prefix) error { panic("skeleton") }

// Register sets the transport for a protocol number.
func (s *Stack) Register(number uint8, p Protocol) { panic("skeleton") }

// SetReporter sets the sender of ICMP errors.
func (s *Stack) SetReporter(r Reporter) { panic("skeleton") }

// AddTap adds a raw listener for a protocol number until remove is called.
func (s *Stack) AddTap(number uint8, t Tap) (remove func()) { panic("skeleton") }

// Report sends an ICMP error about a received datagram through the Reporter; p starts after the IP header, as a
// Protocol's Input has it, and stays the caller's.
func (s *Stack) Report(now time.Duration, e Error, h *Header, p *packet.Buffer) { panic("skeleton") }

// IsLocal says whether a is one of the stack's unicast addresses.
func (s *Stack) IsLocal(a netip.Addr) bool { panic("skeleton") }

// CastOf classifies a destination address: Broadcast for limited and directed broadcasts of connected networks.
func (s *Stack) CastOf(a netip.Addr) packet.Cast { panic("skeleton") }

// Route is the way to a destination, looked up once and kept by whoever sends there often.
type Route struct {
	Src, Dst netip.Addr
}

// Route finds the way to dst. src chooses the source address; the zero Addr leaves it to the stack. Errors:
// ENETUNREACH without a route, EADDRNOTAVAIL if src is not an own address, EINVAL for a dst that is none.
func (s *Stack) Route(dst, src netip.Addr) (*Route, error) { panic("skeleton") }

// MTU is the path MTU in octets as it is known now (RFC 1191).
func (r *Route) MTU() int { panic("skeleton") }

// Features is what the link of the route takes over.
func (r *Route) Features() packet.Features { panic("skeleton") }

// Cast is how packets to the destination are addressed.
func (r *Route) Cast() packet.Cast { panic("skeleton") }

// Send sends p along r with the fields TOS, TTL (0: the default), DF, Protocol and Options of h. It takes p over,
// which has headroom for the header. It fragments where that is needed and DF allows it. Errors: EMSGSIZE, and what the link says.
// A route that has gone stale is looked up again on the way.
func (s *Stack) Send(now time.Duration, r *Route, h *Header, p *packet.Buffer) error {
	panic("skeleton")
}
