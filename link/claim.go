package link

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/packet"
)

// claim is an address on its way to be ours, or ours. It is guarded by Ethernet.mu.
type claim struct {
	e        *Ethernet
	addr     netip.Addr
	deadline deadline
	done     func(now time.Duration, err error)
	owned    bool
	sent     int           // probes, and once owned announcements
	defended bool          // there was a conflict
	defence  time.Duration // when the latest defence was
}

// Claim makes addr an own address: it probes whether another host has it, and then announces, answers for and
// defends it (RFC 5227). done is called once: with nil when the address may be used, which is before Claim
// returns if no probes are asked for; with a *Conflict when another host has it; with EEXIST when it is claimed
// already, with EINVAL when it is no host's address. It is not called after Release.
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
	if e.cfg.ACD.ProbeNum > 0 {
		c.deadline.arm(e.claimStart(now))
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	c.Expire(now)
}

// claimStart is when to send the first probe of a new claim (RFC 5227 section 2.1.1).
func (e *Ethernet) claimStart(now time.Duration) time.Duration {
	if e.conflicts >= e.cfg.ACD.MaxConflicts {
		now = max(now, e.lastClaim+e.cfg.ACD.RateLimitInterval)
	}
	e.lastClaim = now
	return now + e.between(0, e.cfg.ACD.ProbeWait)
}

// between is a random time from low to high.
func (e *Ethernet) between(low, high time.Duration) time.Duration {
	return low + time.Duration(e.randomness.Int64N(int64(max(high-low, 0))+1))
}

// Release gives an address up, or a claim that is not decided.
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

// Expire takes the claim's next step.
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

// step returns the probe or announcement to send now, and whether the address has just become ours.
func (c *claim) step(now time.Duration) (p *packet.Buffer, won bool) {
	acd := &c.e.cfg.ACD
	if !c.owned && c.sent < acd.ProbeNum {
		c.sent++
		wait := acd.AnnounceWait
		if c.sent < acd.ProbeNum {
			wait = c.e.between(acd.ProbeMin, acd.ProbeMax)
		}
		c.deadline.arm(now + wait)
		c.e.arp.OutProbes.Inc()
		return c.request(netip.IPv4Unspecified()), false
	}
	if !c.owned {
		c.owned, c.sent, won = true, 0, true
		c.e.conflicts = 0
	}
	if c.sent == acd.AnnounceNum {
		return nil, won
	}
	if c.sent++; c.sent < acd.AnnounceNum {
		c.deadline.arm(now + acd.AnnounceInterval)
	}
	return c.announcement(), won
}

func (c *claim) announcement() *packet.Buffer {
	c.e.arp.OutAnnounces.Inc()
	return c.request(c.addr)
}

// request is a probe for the address if spa is zero, and an announcement if it is the address itself.
func (c *claim) request(spa netip.Addr) *packet.Buffer {
	a := arpPacket{op: opRequest, sha: c.e.mac, spa: spa, tpa: c.addr}
	return a.frameFor(broadcast)
}

// detect looks for a conflict in an ARP packet of another host, and acts on it. It says whether the sender claims
// an address that is ours and is not to be believed.
func (e *Ethernet) detect(now time.Duration, a *arpPacket) bool {
	e.mu.Lock()
	c := e.claims[a.spa]
	if a.probe() && !e.owns(a.tpa) {
		c = e.claims[a.tpa] // both probe for the same address; if it is owned, an answer is all it takes
	}
	if c == nil {
		e.mu.Unlock()
		return false
	}
	e.arp.Conflicts.Inc()
	owned := c.owned
	p, told := c.conflict(now, a.sha)
	e.mu.Unlock()
	if p != nil {
		e.write(p)
	}
	switch {
	case !owned:
		c.done(now, told)
	case told != nil && e.cfg.Conflict != nil:
		e.cfg.Conflict(now, told)
	}
	return owned
}

// conflict decides what to do about another host with the claim's address: it returns the announcement to send, if
// any, and what the owner is to be told, if anything.
func (c *claim) conflict(now time.Duration, mac MAC) (*packet.Buffer, *Conflict) {
	acd := &c.e.cfg.ACD
	recent := c.defended && now < c.defence+acd.DefendInterval
	if !c.owned {
		c.e.conflicts++
	}
	switch {
	case !c.owned, acd.Defence == Yield, acd.Defence == Once && recent:
		c.e.forget(c)
		return nil, &Conflict{c.addr, mac, true}
	case recent:
		return nil, nil
	}
	c.defended, c.defence = true, now
	return c.announcement(), &Conflict{c.addr, mac, false}
}
