package ip

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/ip/reassembly"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Timers *timer.Queue // required

	TTL           uint8         // of datagrams sent with TTL 0; default 64
	Forwarding    bool          // be a router between the interfaces (RFC 1122 section 1.1.4: off)
	SendRedirects bool          // a router that tells hosts of better first hops (RFC 1812 section 5.2.7.2)
	PMTUAge       time.Duration // after it a larger path MTU is tried; default 10 min (RFC 1191 section 6.3)

	ReassemblyTimeout time.Duration // default 60 s (RFC 1122 section 3.3.2)
	ReassemblyMemory  int           // bytes of incomplete datagrams and what describes them; default 4 MiB
}

func (c *Config) setDefaults() {
	if c.TTL == 0 {
		c.TTL = 64
	}
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

// Stack is the IP layer of one stack, for all its families. All methods are safe for concurrent use, but interfaces receive only
// once the families and the transports are registered.
//
// The stack is weak in the sense of RFC 1122 section 3.3.4.2, as Linux is: it takes datagrams for any of its addresses
// on any interface, and sends by the route to the destination whatever the source address. Loopback addresses never leave it.
type Stack struct {
	cfg       Config
	stats     counters
	families  families
	protocols [256]Protocol
	taps      [256]atomic.Pointer[[]Tap]

	mu         sync.Mutex // for changes of the table, the taps and the groups
	table      atomic.Pointer[table]
	generation atomic.Uint64 // changes with all that a Route depends on
	routes     [256]atomic.Pointer[Route]

	gateways   gateways
	pmtu       pmtuCache
	recent     recent
	reassembly reassembly.Engine[Arrival]
}

// New returns a Stack without families and interfaces.
func New(cfg Config) *Stack {
	cfg.setDefaults()
	s := &Stack{cfg: cfg}
	s.table.Store(newTable())
	s.generation.Store(1)
	s.gateways.init(s)
	s.pmtu.init(s)
	s.recent.init()
	s.reassembly.Init(reassembly.Config[Arrival]{
		Timers: cfg.Timers, Timeout: cfg.ReassemblyTimeout, Memory: cfg.ReassemblyMemory, TimedOut: s.timedOut,
	})
	return s
}

// Config is what New was given, with the defaults filled in. It must not be changed.
func (s *Stack) Config() *Config { return &s.cfg }

// AddFamily registers a family. It is called before any interface is added.
func (s *Stack) AddFamily(f Family) { s.families[index(f.AllHosts())] = f }

// Register sets the transport for a protocol number. It is called before any interface receives.
func (s *Stack) Register(number uint8, p Protocol) { s.protocols[number] = p }

// AddTap adds a raw listener for a protocol number until remove is called.
func (s *Stack) AddTap(number uint8, t Tap) (remove func()) {
	s.changeTaps(number, func(old []Tap) []Tap { return append(old, t) })
	return sync.OnceFunc(func() {
		s.changeTaps(number, func(old []Tap) []Tap {
			if i := slices.Index(old, t); i >= 0 {
				return slices.Delete(old, i, i+1)
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

// tapsOf are the raw listeners to a protocol.
func (s *Stack) tapsOf(number uint8) []Tap {
	if taps := s.taps[number].Load(); taps != nil {
		return *taps
	}
	return nil
}

// Deliver hands a whole datagram, which starts at its IP header, to the raw sockets and the transport. It returns false, and
// then p stays the caller's, when there is neither.
func (s *Stack) Deliver(now time.Duration, d *Datagram, p *packet.Buffer) bool {
	taps := s.tapsOf(d.Protocol)
	for _, t := range taps {
		t.Tap(now, d, p)
	}
	if transport := s.protocols[d.Protocol]; transport != nil {
		p.TrimFront(d.HeaderLen)
		transport.Input(now, d, p)
		return true
	}
	if len(taps) == 0 {
		return false
	}
	p.Free()
	return true
}

// Report sends an ICMP error about a received datagram; p starts after the IP header, as a Protocol's Input has it, and
// stays the caller's.
func (s *Stack) Report(now time.Duration, e Error, d *Datagram, p *packet.Buffer) {
	p.Prepend(d.HeaderLen)
	s.FamilyOf(d.Src).Report(now, e, d, p)
	p.TrimFront(d.HeaderLen)
}

// HandleError hands an ICMP error to the raw sockets of the protocol and to the transport whose datagram it is about; quoted
// starts after the quoted IP header. The transport decides whether it believes the error, and calls Apply or
// ApplyIfSent. A Redirect is not for sockets. With raw sockets only, HandleError calls the latter itself.
func (s *Stack) HandleError(now time.Duration, e *Error, quoted []byte) {
	taps := s.tapsOf(e.Quoted.Protocol)
	for _, t := range taps {
		if e.Kind != Redirect {
			t.HandleError(now, e, quoted)
		}
	}
	if p := s.protocols[e.Quoted.Protocol]; p != nil {
		p.HandleError(now, e, quoted)
	} else if len(taps) > 0 {
		s.ApplyIfSent(now, e, quoted)
	}
}

// ReplyOptions are the options that make an answer to d go back by the source route it came by; nil: none.
func (s *Stack) ReplyOptions(d *Datagram) []byte {
	if len(d.Options) == 0 {
		return nil
	}
	return s.FamilyOf(d.Src).ReplyOptions(d.Options)
}

// Send sends p along r with the fields of o. It takes p over, which has headroom for the header. It fragments where that
// is needed and allowed. Errors: EMSGSIZE, EINVAL for malformed options, what Stack.Route says when the way is lost, and what
// the link says.
//
// A route that has gone stale is looked up again on the way. A source route in Options lists the hops on the way to
// r.Dst, as setsockopt(IP_OPTIONS) has it. p.Offload.Start counts from the transport header, and Send makes it count from the
// IP header. A super-packet is measured by its segments, which Offload.Size must keep within Route.MTU.
func (s *Stack) Send(now time.Duration, r *Route, o Outgoing, p *packet.Buffer) error {
	return r.Family().Send(now, r, o, p)
}

// SendRaw sends p, which starts with an IP header of the caller's making, along r (IP_HDRINCL of Linux). The family fills in
// the length, and what it can where a field is zero. SendRaw takes p over and never fragments. Errors: EINVAL for a malformed
// header, EMSGSIZE above the MTU of the first hop, and as of Send.
func (s *Stack) SendRaw(now time.Duration, r *Route, p *packet.Buffer) error {
	return r.Family().SendRaw(now, r, p)
}
