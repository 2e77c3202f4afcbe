// Package udp is the User Datagram Protocol (RFC 768, RFC 1122 section 4.1).
package udp

import (
	"io"
	"net/netip"

	"tunstack/internal/clock"
	"tunstack/internal/poll"
	"tunstack/ipv4"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Clock             clock.Clock
	Rand              io.Reader // a cryptographic source; nil: crypto/rand
	PortLow, PortHigh uint16    // ephemeral ports; 0: 49152-65535
}

// Stack is the UDP layer of one host.
type Stack struct{}

// New returns the UDP layer and registers it with ip.
func New(ip *ipv4.Stack, cfg Config) *Stack { panic("skeleton") }

// Endpoint is one UDP socket. No method blocks: EAGAIN, and Waiters. All are safe for concurrent use.
type Endpoint struct{}

// NewEndpoint returns an unbound socket.
func (s *Stack) NewEndpoint() *Endpoint { panic("skeleton") }

// Endpoints lists all sockets for netstat.
func (s *Stack) Endpoints() []Status { panic("skeleton") }

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack) Stats() any { panic("skeleton") }

// Status is one row of netstat.
type Status struct {
	RecvQ         int // octets waiting
	Local, Remote netip.AddrPort
}

// Options are the socket's settings; Endpoint.SetOptions changes them.
type Options struct {
	Broadcast          bool // SO_BROADCAST
	ReuseAddr          bool
	ReusePort          bool
	NoCheck            bool       // SO_NO_CHECK: send without checksum
	RcvBuf             int        // octets of payload and overhead that may wait; 0: 208 KiB
	TOS, TTL           uint8      // TTL 0: the stack's default
	MulticastTTL       uint8      // 0: 1
	MulticastLoop      bool       // IP_MULTICAST_LOOP, on for a new socket
	MulticastInterface netip.Addr // IP_MULTICAST_IF
	DontFragment       bool       // IP_MTU_DISCOVER as IP_PMTUDISC_DO
	IPOptions          []byte     // IP_OPTIONS
	RecvErr            bool       // IP_RECVERR: errors also on unconnected sockets
}

// Datagram describes a received datagram.
type Datagram struct {
	From, To  netip.AddrPort // To.Addr is the specific destination (IP_PKTINFO)
	Interface string
	TOS, TTL  uint8
	IPOptions []byte
	Size      int // of the whole payload; larger than the copied count when it was cut (MSG_TRUNC)
}

// Bind errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL when already bound. Port 0 picks a free one; a zero Addr is the wildcard.
func (e *Endpoint) Bind(local netip.AddrPort) error { panic("skeleton") }

// Connect sets the default peer, and the zero AddrPort removes it. Errors: ENETUNREACH, EACCES for broadcast without SO_BROADCAST.
func (e *Endpoint) Connect(remote netip.AddrPort) error { panic("skeleton") }

// Send sends one datagram to the peer given, or with a zero AddrPort to the connected one. src, when valid, chooses
// the source address (IP_PKTINFO). Errors: EDESTADDRREQ, EMSGSIZE, EACCES, EPIPE after Shutdown, and once a pending error (ECONNREFUSED).
func (e *Endpoint) Send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) { panic("skeleton") }

// Recv copies the first waiting datagram to b. Errors: EAGAIN, and once a pending error. After Shutdown of reading: (0, _, nil).
func (e *Endpoint) Recv(b []byte, peek bool) (int, Datagram, error) { panic("skeleton") }

// Shutdown errors: ENOTCONN when not connected.
func (e *Endpoint) Shutdown(read, write bool) error { panic("skeleton") }

// Close frees the port and what waits.
func (e *Endpoint) Close() error { panic("skeleton") }

// Join and Leave change multicast membership; an invalid iface lets the route to the group choose. Errors: EINVAL, EADDRINUSE, EADDRNOTAVAIL, ENODEV.
func (e *Endpoint) Join(group, iface netip.Addr) error { panic("skeleton") }

// Leave undoes Join.
func (e *Endpoint) Leave(group, iface netip.Addr) error { panic("skeleton") }

// Local is the own address; a zero Port before Bind.
func (e *Endpoint) Local() netip.AddrPort { panic("skeleton") }

// Remote is the connected peer; false without one.
func (e *Endpoint) Remote() (netip.AddrPort, bool) { panic("skeleton") }

// Ready is what the socket can do now.
func (e *Endpoint) Ready() poll.Mask { panic("skeleton") }

// Waiters are told whenever Ready gains an event.
func (e *Endpoint) Waiters() *poll.Queue { panic("skeleton") }

// TakeError returns and clears the pending error (SO_ERROR).
func (e *Endpoint) TakeError() error { panic("skeleton") }

// Options returns the settings.
func (e *Endpoint) Options() Options { panic("skeleton") }

// SetOptions changes the settings.
func (e *Endpoint) SetOptions(change func(*Options)) { panic("skeleton") }

// Buffered is the size of the first waiting datagram (FIONREAD).
func (e *Endpoint) Buffered() int { panic("skeleton") }

// PathMTU is the path MTU to the connected peer (IP_MTU). Errors: ENOTCONN.
func (e *Endpoint) PathMTU() (int, error) { panic("skeleton") }
