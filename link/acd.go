package link

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"
)

// claim is an address that the stack owns, or probes for in order to own it. Ethernet.mu guards it.
type claim struct {
	e        *Ethernet
	addr     netip.Addr
	deadline deadline
	done     func(now time.Duration, err error)
	owned    bool          // probing has ended: the address may be used
	sent     int           // probes sent, or once owned, announcements sent
	defended bool          // an announcement has defended it
	defence  time.Duration // time of the latest defence
	nonce    [6]byte       // of its probes (RFC 7527)
}

// claiming has the times and counts of one family's claims, and their history.
type claiming struct {
	acd       ACD
	conflicts int           // failed claims since the last success
	latest    time.Duration // when probing for the latest claim started
}

func (c *claiming) claims() *claiming { return c }

// start returns when to send the first probe of a new claim (RFC 5227 section 2.1.1). That is not at once: the report of the group of an IPv6
// address, which is due now, has to go first (RFC 4862 section 5.4.2).
func (c *claiming) start(now time.Duration, e *Ethernet) time.Duration {
	if c.conflicts >= c.acd.MaxConflicts {
		now = max(now, c.latest+c.acd.RateLimitInterval)
	}
	c.latest = now
	return now + max(e.between(0, c.acd.ProbeWait), 1)
}

// Claim makes the stack own addr: the link probes whether another host has it, and then announces it, answers for it and
// defends it (RFC 5227). Claim calls done once: with nil when the address may be used, before Claim returns if ACD.ProbeNum is
// negative; with a *Conflict when another host has the address; with EEXIST when it is claimed already; with EINVAL when no
// host can have it. After Release, done is not called.
func (e *Ethernet) Claim(now time.Duration, addr netip.Addr, done func(now time.Duration, err error)) {
	if !e.handler.IsHost(addr) {
		done(now, syscall.EINVAL)
		return
	}
	c := &claim{e: e, addr: addr, done: done}
	c.deadline.timer.Init(e.cfg.Timers, c)
	e.mu.Lock()
	if e.claims[addr] != nil {
		e.mu.Unlock()
		done(now, syscall.EEXIST)
		return
	}
	e.claims[addr] = c
	binary.BigEndian.PutUint32(c.nonce[:], e.randomness.Uint32())
	binary.BigEndian.PutUint16(c.nonce[4:], uint16(e.randomness.Uint32()))
	if family := c.family(); family.acd.ProbeNum > 0 {
		c.deadline.arm(family.start(now, e))
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	c.Expire(now)
}

// family returns the times and the history of the claims of c's family.
func (c *claim) family() *claiming { return c.e.resolverOf(c.addr).claims() }

// between returns a random time from low to high.
func (e *Ethernet) between(low, high time.Duration) time.Duration {
	return low + time.Duration(e.randomness.Int64N(int64(max(high-low, 0))+1))
}

// Release gives up an owned address, or ends the probing for one.
func (e *Ethernet) Release(addr netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.claims[addr]; c != nil {
		e.forget(c)
	}
}

func (e *Ethernet) forget(c *claim) {
	delete(e.claims, c.addr)
	c.deadline.stop()
}

// Expire sends the claim's next probe or announcement.
func (c *claim) Expire(now time.Duration) {
	e := c.e
	e.mu.Lock()
	if !c.deadline.due(now) {
		e.mu.Unlock()
		return
	}
	p, won := c.step(now)
	e.mu.Unlock()
	if p != nil {
		e.write(p)
	}
	if won {
		c.done(now, nil)
	}
}

// step returns the probe or announcement to send now, and whether the stack has just come to own the address.
func (c *claim) step(now time.Duration) (p *Packet, won bool) {
	family := c.family()
	acd := &family.acd
	if !c.owned && c.sent < acd.ProbeNum {
		c.sent++
		wait := acd.AnnounceWait
		if c.sent < acd.ProbeNum {
			wait = c.e.between(acd.ProbeMin, acd.ProbeMax)
		}
		c.deadline.arm(now + wait)
		return c.e.resolverOf(c.addr).probe(c), false
	}
	if !c.owned {
		c.owned, c.sent, won = true, 0, true
		family.conflicts = 0
	}
	if c.sent == acd.AnnounceNum {
		return nil, won
	}
	if c.sent++; c.sent < acd.AnnounceNum {
		c.deadline.arm(now + acd.AnnounceInterval)
	}
	return c.e.resolverOf(c.addr).announce(c.addr), won
}

// owns reports whether the stack owns a, and no longer only probes for it. It is called with Ethernet.mu held.
func (e *Ethernet) owns(a netip.Addr) bool {
	c := e.claims[a]
	return c != nil && c.owned
}

// detect looks for an address conflict with the host at mac, which uses the address used and probes for the address probed;
// each may be invalid. It reports whether there is one, and whether it concerns an owned address: then the caller must not
// believe the host's packet.
func (e *Ethernet) detect(now time.Duration, used, probed netip.Addr, mac MAC) (conflict, owned bool) {
	e.mu.Lock()
	c := e.claims[used]
	if probed.IsValid() && !e.owns(probed) {
		c = e.claims[probed] // both hosts probe for one address; for an owned address an ordinary answer is enough
	}
	if c == nil {
		e.mu.Unlock()
		return false, false
	}
	owned = c.owned
	announcement, report := c.conflict(now, mac)
	e.mu.Unlock()
	if announcement != nil {
		e.write(announcement)
	}
	switch {
	case !owned:
		c.done(now, report)
	case report != nil && e.cfg.Conflict != nil:
		e.cfg.Conflict(now, report)
	}
	return true, owned
}

// conflict handles another host, at mac, with the claim's address: it returns the announcement to send and the Conflict to report, each
// nil if there is none.
func (c *claim) conflict(now time.Duration, mac MAC) (*Packet, *Conflict) {
	family := c.family()
	acd := &family.acd
	recent := c.defended && now < c.defence+acd.DefendInterval
	if !c.owned {
		family.conflicts++
	}
	switch {
	case !c.owned, acd.Defence == Yield, acd.Defence == Once && recent:
		c.e.forget(c)
		return nil, &Conflict{c.addr, mac, true}
	case recent:
		return nil, nil
	}
	c.defended, c.defence = true, now
	return c.e.resolverOf(c.addr).defend(c.addr), &Conflict{c.addr, mac, false}
}
