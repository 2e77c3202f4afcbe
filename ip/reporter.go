package ip

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/timer"
	"tunstack/ip/membership"
)

// reporter tells routers the groups of one family on an interface. It calls the machine at its deadlines and sends what that
// returns. Only Expire sends, on the goroutine of the timers, so that messages keep their order and no lock is held meanwhile.
type reporter struct {
	i      *Interface
	family Family
	timer  timer.Timer

	mu   sync.Mutex
	host *membership.Host
}

func newReporter(i *Interface, f Family) *reporter {
	r := &reporter{i: i, family: f}
	r.timer.Init(i.stack.cfg.Timers, r)
	cfg := f.Membership()
	cfg.MTU = func() int { return i.MTUTo(f.AllHosts()) }
	cfg.SSM = i.stack.isSSM
	random := i.random(f)
	cfg.Rand = func(n time.Duration) time.Duration { return time.Duration(1 + random.Int64N(int64(n))) }
	r.host = membership.NewHost(cfg)
	return r
}

// random returns a generator of the delays of one family's reports, other ones than those of other interfaces. Its seed is a hash: the
// delays, which everybody on the link sees, tell nothing about the secret.
func (i *Interface) random(f Family) *rand.Rand {
	seed := []uint64{uint64(f.HeaderLen())}
	for _, b := range []byte(i.name) {
		seed = append(seed, uint64(b))
	}
	return rand.New(rand.NewPCG(i.stack.key.Sum(seed...), i.stack.key.Sum(append(seed, 0)...)))
}

// do calls f, which may change what is due and when.
func (r *reporter) do(f func(*membership.Host)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.host)
	if at, ok := r.host.Next(); ok {
		r.timer.Arm(at)
	} else {
		r.timer.Stop()
	}
}

// set tells the machine a filter. What is due at once is not searched for among all groups.
func (r *reporter) set(group netip.Addr, f membership.Filter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.host.Set(group, f) {
		r.timer.ArmEarlier(0)
	}
}

// Expire sends the messages that are due (timer.Handler).
func (r *reporter) Expire(now time.Duration) {
	var due []membership.Message
	r.do(func(h *membership.Host) { due = h.Expire(now) })
	for i := range due {
		r.family.SendReport(now, r.i, &due[i])
	}
}

// reporter returns the reporter of a family, or nil if the interface does not report its groups.
func (i *Interface) reporter(f Family) *reporter { return i.groups.reporters[index(f.AllHosts())] }

// GroupQuery handles a router's query for the groups of a family. The slices of q are valid during the call.
func (i *Interface) GroupQuery(now time.Duration, f Family, q membership.Query) {
	if r := i.reporter(f); r != nil {
		r.do(func(h *membership.Host) { h.Query(now, q) })
	}
}

// GroupReport handles another host's report of a group by a protocol without sources.
func (i *Interface) GroupReport(f Family, group netip.Addr) {
	if r := i.reporter(f); r != nil {
		r.do(func(h *membership.Host) { h.Heard(group) })
	}
}

// ReportSource is the source address of messages about groups: the interface's first address, of IPv6 the first link-local one,
// and the unspecified address while there is none (RFC 9776 section 4.2.13, RFC 3810 section 5.2.13).
func (i *Interface) ReportSource(f Family) netip.Addr {
	ipv4 := f.AllHosts().Is4()
	for _, own := range i.Addresses() {
		if a := own.Addr(); a.Is4() == ipv4 && (ipv4 || IsLinkLocal6(a)) {
			return a
		}
	}
	if ipv4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// restate reports the groups again when the interface has got an address to report them from, which was before.
func (i *Interface) restate(before netip.Addr) {
	f := i.stack.FamilyOf(before)
	if r := i.reporter(f); r != nil && before.IsUnspecified() && !i.ReportSource(f).IsUnspecified() {
		r.do((*membership.Host).Restate)
	}
}
