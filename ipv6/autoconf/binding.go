package autoconf

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"tunstack/ip"
	"tunstack/link/nd"
)

const (
	twoHours     = 2 * time.Hour
	idgenRetries = 3           // IDGEN_RETRIES of RFC 7217, TEMP_IDGEN_RETRIES of RFC 8981
	idgenDelay   = time.Second // IDGEN_DELAY: upper bound of the random wait before the next try
)

// binding is an address that the Host forms and keeps.
type binding struct {
	prefix    netip.Prefix // of 64 bits
	addr      netip.Addr   // the last one formed
	state     state
	formAt    time.Duration // in state waiting: when the next one is formed
	tries     int           // DAD_Counter
	preferred time.Duration // when the address becomes deprecated; ip.Forever: never
	valid     time.Duration // when the address ends; ip.Forever: never

	temporary   *temporary   // nil: the address is stable
	advertisers []netip.Addr // the routers that advertise the prefix
}

// state of a binding.
type state uint8

const (
	waiting  state = iota // an address is to be formed
	claiming              // the interface has the address, which is tentative
	owned                 // the address is in use
	removed               // the user has removed it: the next advertisement of its prefix brings it back, as in Linux
	refused               // no address can be used
)

// claim is the outcome of the claim of a binding's address.
type claim struct {
	binding *binding
	addr    netip.Addr
	err     error
}

// setPrefix handles a prefix that a router advertises.
func (h *Host) setPrefix(now time.Duration, from netip.Addr, p nd.PrefixInformation) {
	if notAdvertisable(p.Prefix) {
		h.stats.IgnoredPrefix.Inc()
		return
	}
	if p.OnLink {
		h.setOnLink(now, p)
	}
	if p.Autonomous {
		h.setAutonomous(now, from, p)
	}
}

// setAutonomous forms an address from a prefix, or renews the lifetimes of the addresses that it has formed (RFC 4862 section 5.5.3).
func (h *Host) setAutonomous(now time.Duration, from netip.Addr, p nd.PrefixInformation) {
	if p.Preferred > p.Valid || p.Prefix.Bits() != 64 {
		h.stats.IgnoredPrefix.Inc()
		return
	}
	var own *binding // the stable one
	for _, b := range h.bindings {
		if b.prefix != p.Prefix.Masked() {
			continue
		}
		h.renew(now, b, p.Preferred, p.Valid)
		if b.temporary == nil {
			own = b
		}
	}
	if own == nil && p.Valid > 0 {
		own = h.bind(now, &binding{prefix: p.Prefix.Masked(), preferred: after(now, p.Preferred), valid: after(now, p.Valid), formAt: now})
	}
	if own != nil {
		h.addAdvertiser(own.prefix, from)
		h.ensureTemporary(now, own)
	}
}

// bind adds a binding and returns it; nil: the table is full.
func (h *Host) bind(now time.Duration, b *binding) *binding {
	if len(h.bindings) >= maxAddresses+1 { // the link-local one
		h.stats.DropTableFull.Inc()
		return nil
	}
	h.bindings = append(h.bindings, b)
	return b
}

// renew sets the lifetimes that a router advertises. No router can cut the valid lifetime to less than two hours, so that a forged
// advertisement does not end the connections (RFC 4862 section 5.5.3(e)).
func (h *Host) renew(now time.Duration, b *binding, preferred, valid time.Duration) {
	switch remaining := left(now, b.valid); {
	case valid > twoHours || valid > remaining:
		b.valid = after(now, valid)
	case remaining > twoHours:
		b.valid = now + twoHours
	}
	b.preferred = min(after(now, preferred), b.valid)
	if b.temporary != nil {
		b.limit()
	}
	if h.isRemoved(now, b) {
		b.state, b.formAt = waiting, now
	}
}

// isRemoved tells the interface the lifetimes of a binding's address, and reports whether the user has removed the address.
func (h *Host) isRemoved(now time.Duration, b *binding) bool {
	if b.state == claiming || b.state == owned {
		return h.iface.SetLifetimes(now, b.addr, left(now, b.preferred), left(now, b.valid)) != nil
	}
	return b.state == removed
}

// findRemoved notes which addresses the user has removed.
func (h *Host) findRemoved(now time.Duration) {
	for _, b := range h.bindings {
		if h.isRemoved(now, b) {
			b.state = removed
		}
	}
}

// form forms the addresses that are due, and lets the interface claim them.
func (h *Host) form(now time.Duration) {
	for _, b := range h.bindings {
		if b.state != waiting || b.formAt > now || h.stopped {
			continue
		}
		b.addr, b.state = h.identify(b).in(b.prefix), claiming
		h.iface.Assign(now, ip.Address{
			Prefix: netip.PrefixFrom(b.addr, 64), Preferred: left(now, b.preferred), Valid: left(now, b.valid),
			Temporary: b.temporary != nil, NoPrefixRoute: b.prefix != linkLocal,
		}, h.claimed(b, b.addr))
	}
}

// claimed returns the function that notes the outcome of a claim.
func (h *Host) claimed(b *binding, a netip.Addr) func(time.Duration, error) {
	return func(now time.Duration, err error) {
		h.note(now, func(p *pending) { p.claims = append(p.claims, claim{b, a, err}) })
	}
}

// identify chooses the identifier of a binding's next address.
func (h *Host) identify(b *binding) (id identifier) {
	if h.cfg.EUI64 && h.cfg.MAC != [6]byte{} && b.temporary == nil {
		return eui64(h.cfg.MAC)
	}
	for {
		if b.temporary != nil {
			id = h.randomIdentifier()
		} else {
			id = stable(h.cfg.Secret, b.prefix, h.iface.Name(), h.cfg.Network, b.tries)
		}
		if !id.reserved() {
			return id
		}
		b.tries++
	}
}

// decided handles the outcome of a claim.
func (h *Host) decided(now time.Duration, c claim) {
	b := c.binding
	if b.state != claiming || b.addr != c.addr || !slices.Contains(h.bindings, b) {
		return
	}
	switch {
	case c.err == nil:
		b.state = owned
		_ = h.iface.SetAdvertisers(b.addr, b.advertisers) // fails if the user has removed the address
		return
	case c.err == syscall.EADDRNOTAVAIL: // the user has removed it
		b.state = removed
		return
	}
	h.stats.Refused.Inc()
	if h.cfg.Refused != nil {
		h.cfg.Refused(b.addr, c.err)
	}
	duplicate := errors.Is(c.err, syscall.EADDRINUSE) || c.err == syscall.EEXIST
	fixed := h.cfg.EUI64 && b.temporary == nil
	if b.tries++; duplicate && !fixed && b.tries <= idgenRetries {
		b.state, b.formAt = waiting, now+h.between(0, idgenDelay)
		return
	}
	b.state = refused
	h.stopped = h.stopped || b.prefix == linkLocal
}

// endBindings forgets the addresses whose time is over, which the interface removes itself, and forms successors of temporary ones.
func (h *Host) endBindings(now time.Duration) {
	h.bindings = slices.DeleteFunc(h.bindings, func(b *binding) bool { return b.valid <= now })
	for _, b := range slices.Clone(h.bindings) {
		if b.temporary != nil && b.temporary.replaceAt <= now {
			b.temporary.replaceAt = ip.Forever
			h.ensureTemporary(now, h.stableOf(b.prefix))
		}
	}
}

// next is when Expire has to handle the binding.
func (b *binding) next() time.Duration {
	at := b.valid
	if b.state == waiting {
		at = min(at, b.formAt)
	}
	if b.temporary != nil {
		at = min(at, b.temporary.replaceAt)
	}
	return at
}

// stableOf is the stable binding of a prefix; nil: there is none.
func (h *Host) stableOf(prefix netip.Prefix) *binding {
	for _, b := range h.bindings {
		if b.prefix == prefix && b.temporary == nil {
			return b
		}
	}
	return nil
}

// addAdvertiser notes that a router advertises a prefix.
func (h *Host) addAdvertiser(prefix netip.Prefix, router netip.Addr) {
	for _, b := range h.bindings {
		if b.prefix == prefix && !slices.Contains(b.advertisers, router) && h.routers.get(router) != nil {
			h.setAdvertisers(b, append(slices.Clone(b.advertisers), router))
		}
	}
}

func (h *Host) setAdvertisers(b *binding, routers []netip.Addr) {
	if !slices.Equal(routers, b.advertisers) {
		b.advertisers = routers
		_ = h.iface.SetAdvertisers(b.addr, routers) // fails while there is no address: decided sets them
	}
}
