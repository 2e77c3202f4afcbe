// Package autoconf is the host side of router discovery (RFC 4861 section 6.3, RFC 4191, RFC 8106) and of stateless address
// autoconfiguration (RFC 4862, RFC 7217, RFC 8981). A Host configures one interface of package ip from what the routers on its link
// advertise.
package autoconf

import (
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/link/nd"
)

// Config of a Host; zero values mean the documented defaults.
type Config struct {
	Interface *ip.Interface // required
	Timers    *timer.Queue  // required
	Rand      io.Reader     // a cryptographic source, read by New; nil: crypto/rand

	LinkLocal bool    // form a link-local address
	Routers   bool    // solicit routers and configure what they advertise
	Temporary bool    // form temporary addresses, too, and prefer them as sources (RFC 8981)
	EUI64     bool    // make identifiers from MAC instead of Secret
	MAC       [6]byte // of the interface; zero: it has none

	// Secret is the key of the stable identifiers (RFC 7217), at least 16 bytes: with the same Secret and the same name an interface gets
	// the same addresses again. nil: a random one. Network tells networks apart in which the addresses shall differ.
	Secret  []byte
	Network string

	MinHopLimit uint8 // the smallest hop limit that a router may set; default 32

	// Refused, unless nil, is called with an address that cannot be used, and the reason.
	Refused func(a netip.Addr, err error)
	// Changed, unless nil, is called when Info has changed.
	Changed func(Info)
}

// Bounds of what a Host learns from its routers.
const (
	maxPending   = 32 // advertisements that wait to be handled
	maxRouters   = 16
	maxPrefixes  = 32 // on the link
	maxRoutes    = 32
	maxAddresses = 16 // as Linux's max_addresses; the link-local one does not count
	maxServers   = 8
	maxDomains   = 16
)

// Bounds of the times that a router sets for neighbour discovery. With a RetransTimer of hours the host would hardly ever ask a neighbour
// again that has not answered.
const (
	minReachable = 100 * time.Millisecond
	maxReachable = time.Hour // AdvReachableTime of RFC 4861 section 6.2.1
	minRetrans   = 10 * time.Millisecond
	maxRetrans   = 10 * time.Second
)

// Host configures one interface. Its methods are safe for concurrent use: they leave a note for Expire, which alone, on the goroutine of
// the timers, handles advertisements and changes the interface.
type Host struct {
	cfg   Config
	iface *ip.Interface
	stats counters
	timer timer.Timer
	info  atomic.Pointer[Info]

	mu      sync.Mutex // guards pending
	pending pending

	// The rest belongs to Expire.
	random   *mathrand.Rand
	started  bool
	stopped  bool // the link-local address is refused: the Host configures nothing more
	solicit  solicitation
	routers  leases[netip.Addr, router]
	prefixes leases[netip.Prefix, struct{}] // on the link
	routes   leases[route, int8]            // with the preference
	servers  leases[netip.Addr, struct{}]
	domains  leases[string, struct{}]
	flags    flags
	bindings []*binding
}

// pending are the events that Expire has not handled yet.
type pending struct {
	start          bool
	advertisements []advertisement
	gone           []netip.Addr // neighbours that have stopped routing
	claims         []claim
	removed        bool // the interface has an address less
}

// advertisement is a router advertisement with its source.
type advertisement struct {
	from netip.Addr
	*nd.RouterAdvertisement
}

// New returns a Host, which does nothing before Start. It fails if Rand cannot be read or Secret is too short.
func New(cfg Config) (*Host, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.MinHopLimit == 0 {
		cfg.MinHopLimit = 32
	}
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	h := &Host{cfg: cfg, iface: cfg.Interface, random: mathrand.New(mathrand.NewChaCha8(seed))}
	const shortest = 16
	switch {
	case cfg.Secret == nil:
		h.cfg.Secret = make([]byte, shortest)
		if _, err := io.ReadFull(cfg.Rand, h.cfg.Secret); err != nil {
			return nil, fmt.Errorf("reading randomness: %w", err)
		}
	case len(cfg.Secret) < shortest:
		return nil, fmt.Errorf("the secret of stable addresses has %d bytes; it needs %d (RFC 7217 section 5)", len(cfg.Secret), shortest)
	}
	h.routers.max, h.prefixes.max, h.routes.max = maxRouters, maxPrefixes, maxRoutes
	h.servers.max, h.domains.max = maxServers, maxDomains
	h.solicit.next = ip.Forever
	h.info.Store(&Info{Interface: h.iface.Name()})
	h.timer.Init(cfg.Timers, h)
	return h, nil
}

// Stats returns a pointer to the counters, for stats.Read.
func (h *Host) Stats() any { return &h.stats }

// Start forms the link-local address and solicits routers, as the Config asks. Only the first call has an effect.
func (h *Host) Start(now time.Duration) {
	h.note(now, func(p *pending) { p.start = true })
}

// Input takes a valid router advertisement from a router on the link, whose address has no zone. The Host keeps the advertisement.
func (h *Host) Input(now time.Duration, from netip.Addr, a *nd.RouterAdvertisement) {
	if !h.cfg.Routers {
		h.stats.DropDisabled.Inc()
		return
	}
	h.stats.InAdvertisements.Inc()
	h.note(now, func(p *pending) {
		if len(p.advertisements) == maxPending {
			h.stats.DropFlood.Inc()
			return
		}
		p.advertisements = append(p.advertisements, advertisement{from, a})
	})
}

// NotRouter takes the news that a neighbour, whose address has no zone, has stopped routing (RFC 4861 section 7.2.5).
func (h *Host) NotRouter(now time.Duration, a netip.Addr) {
	h.note(now, func(p *pending) {
		if len(p.gone) < maxPending && !slices.Contains(p.gone, a) {
			p.gone = append(p.gone, a)
		}
	})
}

// AddressRemoved takes the news that the interface has an address less: the user may have removed one that the Host has formed.
func (h *Host) AddressRemoved() {
	const atOnce = 0
	h.note(atOnce, func(p *pending) { p.removed = true })
}

// note leaves a note for Expire.
func (h *Host) note(now time.Duration, add func(*pending)) {
	h.mu.Lock()
	add(&h.pending)
	h.mu.Unlock()
	h.timer.ArmEarlier(now)
}

// Expire handles what has happened, and what is due.
func (h *Host) Expire(now time.Duration) {
	h.mu.Lock()
	p := h.pending
	h.pending = pending{}
	h.mu.Unlock()
	if p.start && !h.started {
		h.start(now)
	}
	for _, c := range p.claims {
		h.decided(now, c)
	}
	h.end(now)
	if p.removed {
		h.findRemoved(now)
	}
	for _, a := range p.gone {
		h.forget(a)
	}
	for _, a := range p.advertisements {
		if !h.started || h.stopped {
			h.stats.DropDisabled.Inc()
			continue
		}
		h.handle(now, a)
	}
	h.form(now)
	h.sendSolicitation(now)
	h.timer.ArmEarlier(h.next())
	h.tell()
}

func (h *Host) start(now time.Duration) {
	h.started = true
	if h.cfg.LinkLocal {
		h.bindings = append(h.bindings, &binding{prefix: linkLocal, preferred: ip.Forever, valid: ip.Forever})
	}
	if h.cfg.Routers {
		h.startSolicitation(now)
	}
}

// handle configures what an advertisement says.
func (h *Host) handle(now time.Duration, a advertisement) {
	h.setParameters(a)
	h.setRouter(now, a)
	for _, p := range a.Prefixes {
		h.setPrefix(now, a.from, p)
	}
	for _, r := range a.Routes {
		h.setRoute(now, a.from, r)
	}
	for _, s := range a.RDNSS {
		h.setServers(now, s)
	}
	for _, s := range a.DNSSL {
		h.setDomains(now, s)
	}
	h.flags = flags{a.Managed, a.Other}
}

// end removes everything whose advertised lifetime is over.
func (h *Host) end(now time.Duration) {
	for _, r := range h.routers.expire(now) {
		h.dropRouter(r.key)
	}
	for _, p := range h.prefixes.expire(now) {
		h.iface.DropAdvertisedRoute(p.key, netip.Addr{})
	}
	for _, r := range h.routes.expire(now) {
		h.iface.DropAdvertisedRoute(r.key.prefix, r.key.router)
	}
	h.servers.expire(now)
	h.domains.expire(now)
	h.endBindings(now)
}

// next is when Expire has to be called again.
func (h *Host) next() time.Duration {
	at := min(h.routers.next(), h.prefixes.next(), h.routes.next(), h.servers.next(), h.domains.next(), h.solicit.next)
	for _, b := range h.bindings {
		at = min(at, b.next())
	}
	return at
}

// setParameters adopts the parameters of the link. Those that would cut the host off are ignored.
func (h *Host) setParameters(a advertisement) {
	switch n := a.CurHopLimit; {
	case n == 0: // the router leaves it open
	case n < h.cfg.MinHopLimit:
		h.stats.IgnoredHopLimit.Inc()
	default:
		h.iface.SetCurHopLimit(n)
	}
	switch n := int64(a.MTU); {
	case n == 0:
	case n < minMTU || n > int64(h.iface.MTU()):
		h.stats.IgnoredMTU.Inc()
	default:
		h.iface.SetLinkMTU(int(n))
	}
	h.iface.SetNeighborTimes(h.bounded(a.ReachableTime, minReachable, maxReachable), h.bounded(a.RetransTimer, minRetrans, maxRetrans))
}

// bounded returns an advertised time, and low instead of a shorter one, as Linux does; 0: the router sets none, or a time above high.
func (h *Host) bounded(d, low, high time.Duration) time.Duration {
	switch {
	case d > high:
		h.stats.IgnoredTime.Inc()
		return 0
	case d == 0:
		return 0
	}
	return max(d, low)
}

// between returns a random time from low to high.
func (h *Host) between(low, high time.Duration) time.Duration {
	return low + time.Duration(h.random.Int64N(int64(high-low)+1))
}

// after is a time that is lifetime from now.
func after(now, lifetime time.Duration) time.Duration {
	if lifetime > ip.Forever-now {
		return ip.Forever
	}
	return now + lifetime
}

// left is the time from now to an end.
func left(now, end time.Duration) time.Duration {
	if end == ip.Forever {
		return ip.Forever
	}
	return max(end-now, 0)
}
