package ipv4

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Clock  clock.Clock  // required
	Timers *timer.Queue // required
	Secret [16]byte     // keys the choice of identifications

	TTL           uint8 // of datagrams sent with TTL 0; default 64
	Forwarding    bool  // be a router between the interfaces (RFC 1122 section 1.1.4: off)
	SendRedirects bool  // a router that tells hosts of better first hops (RFC 1812 section 5.2.7.2)
	// AcceptSourceRouted accepts datagrams with a source route, at the route's end and in transit. By default they are dropped:
	// replies follow the recorded route, so a sender can use any source address (RFC 7126 section 4.3, as Linux does).
	AcceptSourceRouted  bool
	ForwardSourceRouted bool // be a hop of others' source routes, if they are accepted (RFC 1122 section 3.3.5: off)

	MinPMTU           int           // floor of path MTU estimates in octets; default 552, never below 68
	PMTUAge           time.Duration // after it a larger path MTU is tried; default 10 min (RFC 1191 section 6.3)
	ReassemblyTimeout time.Duration // default 60 s (RFC 1122 section 3.3.2)
	ReassemblyMemory  int           // bytes of incomplete datagrams and what describes them; default 4 MiB
}

func (c *Config) setDefaults() {
	if c.TTL == 0 {
		c.TTL = 64
	}
	if c.MinPMTU == 0 {
		c.MinPMTU = 552
	}
	c.MinPMTU = max(c.MinPMTU, minMTU)
	if c.PMTUAge == 0 {
		c.PMTUAge = 10 * time.Minute
	}
	if c.ReassemblyTimeout == 0 {
		c.ReassemblyTimeout = time.Minute
	}
	if c.ReassemblyMemory == 0 {
		c.ReassemblyMemory = 4 << 20
	}
}

// Stack is the IP layer of one host. All methods are safe for concurrent use, but interfaces receive only once
// the transports are registered.
//
// The host is weak in the sense of RFC 1122 section 3.3.4.2, as Linux is: it takes datagrams for any of its addresses
// on any interface, and sends by the route to the destination whatever the source address. 127/8 never leaves the host.
type Stack struct {
	cfg       Config
	stats     counters
	protocols [256]Protocol
	reporter  Reporter
	taps      [256]atomic.Pointer[[]Tap]
	headers   sync.Pool // *Header: one per datagram on its way up

	mu         sync.Mutex // for changes of the table, the taps and the groups
	table      atomic.Pointer[table]
	generation atomic.Uint64 // changes with all that a Route depends on
	routes     [256]atomic.Pointer[Route]

	gateways   gateways
	pmtu       pmtuCache
	ids        identifications
	recent     recent
	reassembly reassembly
}

// New returns a Stack without interfaces.
func New(cfg Config) *Stack {
	cfg.setDefaults()
	s := &Stack{cfg: cfg}
	s.headers.New = func() any { return new(Header) }
	s.table.Store(new(table))
	s.generation.Store(1)
	s.gateways.init(s)
	s.pmtu.init(s)
	s.ids.init(cfg.Secret)
	s.recent.init(cfg.Secret)
	s.reassembly.init(s)
	return s
}

// Register sets the transport for a protocol number. It is called before any interface receives.
func (s *Stack) Register(number uint8, p Protocol) { s.protocols[number] = p }

// SetReporter sets the sender of ICMP errors. It is called before any interface receives.
func (s *Stack) SetReporter(r Reporter) { s.reporter = r }

// AddTap adds a raw listener for a protocol number until remove is called.
func (s *Stack) AddTap(number uint8, t Tap) (remove func()) {
	s.changeTaps(number, func(old []Tap) []Tap { return append(old, t) })
	return sync.OnceFunc(func() {
		s.changeTaps(number, func(old []Tap) []Tap {
			for i := range old {
				if old[i] == t {
					return append(old[:i], old[i+1:]...)
				}
			}
			return old
		})
	})
}

func (s *Stack) changeTaps(number uint8, change func([]Tap) []Tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var copied []Tap
	if old := s.taps[number].Load(); old != nil {
		copied = append(copied, *old...)
	}
	copied = change(copied)
	s.taps[number].Store(&copied)
}

// tap shows a datagram to the raw listeners and says whether there were any.
func (s *Stack) tap(now time.Duration, h *Header, p *packet.Buffer) bool {
	taps := s.taps[h.Protocol].Load()
	if taps == nil {
		return false
	}
	for _, t := range *taps {
		t.Tap(now, h, p)
	}
	return len(*taps) > 0
}

// Report sends an ICMP error about a received datagram through the Reporter; p starts after the IP header, as a
// Protocol's Input has it, and stays the caller's.
func (s *Stack) Report(now time.Duration, e Error, h *Header, p *packet.Buffer) {
	p.Prepend(h.Len())
	s.report(now, e, h, p)
	p.TrimFront(h.Len())
}

func (s *Stack) report(now time.Duration, e Error, h *Header, p *packet.Buffer) {
	if s.reporter != nil {
		s.reporter.Report(now, e, h, p)
	}
}

// Advise hands an ICMP error to the raw sockets of the protocol and to the transport whose datagram it is about; quoted
// starts after the quoted IP header. The transport decides whether it believes the error, and calls UpdatePMTU or
// UpdatePMTUIfSent. With raw sockets only, Advise calls the latter itself.
func (s *Stack) Advise(now time.Duration, e *Error, quoted []byte) {
	var taps []Tap
	if list := s.taps[e.Quoted.Protocol].Load(); list != nil {
		taps = *list
	}
	for _, t := range taps {
		t.Advise(now, e, quoted)
	}
	if p := s.protocols[e.Quoted.Protocol]; p != nil {
		p.Advise(now, e, quoted)
	} else if len(taps) > 0 {
		s.UpdatePMTUIfSent(now, e, quoted)
	}
}

// IsLocal says whether a is one of the stack's unicast addresses; all of 127/8 is, once there is a loopback interface.
func (s *Stack) IsLocal(a netip.Addr) bool { return a.Is4() && s.table.Load().isLocal(a.As4()) }

// CastOf classifies a destination address: Broadcast for limited and directed broadcasts of connected networks.
func (s *Stack) CastOf(a netip.Addr) packet.Cast {
	if !a.Is4() {
		return packet.Unicast
	}
	return s.table.Load().castOf(a.As4())
}
