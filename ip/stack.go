package ip

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/siphash"
	"tunstack/internal/timer"
	"tunstack/ip/reassembly"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Timers *timer.Queue // required
	Secret [16]byte     // keys the hashes of Routes

	TTL           uint8         // of datagrams sent with TTL 0; default 64
	Forwarding    bool          // be a router between the interfaces (RFC 1122 section 1.1.4: off)
	SendRedirects bool          // as a router, report better first hops to hosts (RFC 1812 section 5.2.7.2)
	PMTUAge       time.Duration // time after which a larger path MTU is tried; default 10 min (RFC 1191 section 6.3)
	Policy        []Policy      // of IPv6 address selection; nil: DefaultPolicy

	// SSM are the groups of source-specific multicast: they are joined for listed sources only (RFC 4604). nil: DefaultSSM.
	SSM []netip.Prefix

	ReassemblyTimeout time.Duration // default 60 s (RFC 1122 section 3.3.2)
	ReassemblyMemory  int           // bytes of incomplete datagrams, with their descriptions; default 4 MiB
}

func (c *Config) setDefaults() {
	if c.TTL == 0 {
		c.TTL = 64
	}
	if c.PMTUAge == 0 {
		c.PMTUAge = 10 * time.Minute
	}
	if c.Policy == nil {
		c.Policy = DefaultPolicy()
	}
	if c.SSM == nil {
		c.SSM = DefaultSSM()
	}
	if c.ReassemblyTimeout == 0 {
		c.ReassemblyTimeout = time.Minute
	}
	if c.ReassemblyMemory == 0 {
		c.ReassemblyMemory = 4 << 20
	}
}

// Stack is the IP layer of one stack, for all its families. All methods are safe for concurrent use, but families and
// transports must be registered before an interface receives.
//
// The stack follows the weak end-system model of RFC 1122 section 3.3.4.2, as Linux does: it accepts datagrams for any of its
// addresses on any interface, and sends by the route to the destination whatever the source address is. Loopback addresses
// never leave it.
type Stack struct {
	cfg       Config
	key       siphash.Key
	stats     counters
	families  families
	protocols [len(families{})][256]Protocol
	taps      [256]atomic.Pointer[[]Tap] // of both families

	mu         sync.Mutex // for changes of the table, the taps and the groups
	table      atomic.Pointer[table]
	generation atomic.Uint64 // changes with every input of a Route
	routes     [256]atomic.Pointer[Route]

	lifetimes  lifetimes
	gateways   gateways
	pmtu       pmtuCache
	recent     recent
	reassembly reassembly.Engine[Arrival]
}

// New returns a Stack without families and interfaces.
func New(cfg Config) *Stack {
	cfg.setDefaults()
	s := &Stack{cfg: cfg, key: siphash.NewKey(cfg.Secret)}
	s.table.Store(newTable())
	s.generation.Store(1)
	s.lifetimes.init(s)
	s.gateways.init(s)
	s.pmtu.init(s)
	s.recent.init()
	s.reassembly.Init(reassembly.Config[Arrival]{
		Timers: cfg.Timers, Timeout: cfg.ReassemblyTimeout, Memory: cfg.ReassemblyMemory, TimedOut: s.timedOut,
	})
	return s
}

// Config is the argument of New, with the defaults filled in. It must not be changed.
func (s *Stack) Config() *Config { return &s.cfg }

// AddFamily registers a family. It must be called before any interface is added.
func (s *Stack) AddFamily(f Family) { s.families[index(f.AllHosts())] = f }

// Register sets the transport for a protocol number in all families. It must be called before any interface receives.
func (s *Stack) Register(number uint8, p Protocol) {
	for i := range s.protocols {
		s.protocols[i][number] = p
	}
}

// RegisterIn is Register for one family.
func (s *Stack) RegisterIn(f Family, number uint8, p Protocol) {
	s.protocols[index(f.AllHosts())][number] = p
}

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

// tapsOf returns the raw listeners of a protocol.
func (s *Stack) tapsOf(number uint8) []Tap {
	if taps := s.taps[number].Load(); taps != nil {
		return *taps
	}
	return nil
}

// Deliver passes a whole datagram, which starts at its IP header, to the raw sockets and the transport. It returns false if
// there are neither; then p stays the caller's.
func (s *Stack) Deliver(now time.Duration, d *Datagram, p *packet.Buffer) bool {
	taps := s.tapsOf(d.Protocol)
	for _, t := range taps {
		t.Tap(now, d, p)
	}
	if transport := s.protocols[index(d.Dst)][d.Protocol]; transport != nil {
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

// Report sends an ICMP error about a received datagram; p starts after the IP header, as for a Protocol's Input, and stays the
// caller's.
func (s *Stack) Report(now time.Duration, e Error, d *Datagram, p *packet.Buffer) {
	p.Prepend(d.HeaderLen)
	s.FamilyOf(d.Src).Report(now, e, d, p)
	p.TrimFront(d.HeaderLen)
}

// HandleError passes an ICMP error to the raw sockets of the protocol and to the transport of the quoted datagram; quoted
// starts after the quoted IP header. The transport decides whether it believes the error, and calls Apply or ApplyIfSent.
// Sockets do not see a Redirect. If there are only raw sockets, HandleError calls ApplyIfSent itself.
func (s *Stack) HandleError(now time.Duration, e *Error, quoted []byte) {
	taps := s.tapsOf(e.Quoted.Protocol)
	for _, t := range taps {
		if e.Kind != Redirect {
			t.HandleError(now, e, quoted)
		}
	}
	if p := s.protocols[index(e.Quoted.Dst)][e.Quoted.Protocol]; p != nil {
		p.HandleError(now, e, quoted)
	} else if len(taps) > 0 {
		s.ApplyIfSent(now, e, quoted)
	}
}

// ReplyOptions are the options that send an answer to d back along its source route; nil: none.
func (s *Stack) ReplyOptions(d *Datagram) []byte {
	if len(d.Options) == 0 {
		return nil
	}
	return s.FamilyOf(d.Src).ReplyOptions(d.Options)
}

// Send sends p along r with the fields of o. Send owns p, which has headroom for the header. It fragments if that is needed and
// allowed. Errors: EMSGSIZE, EINVAL for malformed options, the errors of Stack.Route when there is no way, and the errors of
// the link.
//
// Send looks up a stale route again. A source route in Options lists the hops on the way to r.Dst, in the form of
// setsockopt(IP_OPTIONS). p.Offload.Start counts from the transport header, and Send makes it count from the IP header.
// Offload.Size must keep the segments of a super-packet within Route.MTU.
func (s *Stack) Send(now time.Duration, r *Route, o Outgoing, p *packet.Buffer) error {
	return r.Family().Send(now, r, o, p)
}

// SendRaw sends p, which starts with an IP header made by the caller, along r (IP_HDRINCL of Linux). The family fills in the
// length, and other fields that are zero if it can. SendRaw owns p and never fragments. Errors: EINVAL for a malformed header,
// EMSGSIZE above the MTU of the first hop, and the errors of Send.
func (s *Stack) SendRaw(now time.Duration, r *Route, p *packet.Buffer) error {
	return r.Family().SendRaw(now, r, p)
}
