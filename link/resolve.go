package link

import (
	"net/netip"
	"syscall"
	"time"
)

// pace holds the times and counts by which a protocol asks for a neighbour.
type pace struct {
	interval  time.Duration // between requests for one address
	multicast int           // requests to all stations while the neighbour is INCOMPLETE
	unicast   int           // requests to the neighbour's own MAC in PROBE
	fallback  int           // requests to all stations in PROBE, after those
	reachable time.Duration // how long a neighbour stays REACHABLE after it was heard from
	delay     time.Duration // between the first packet to a STALE neighbour and the first request; 0: none
}

// resolver is the protocol by which a family finds the MACs of its neighbours and keeps its own addresses unique. The neighbour cache decides
// when to ask, and a claim when to probe and to announce; the resolver writes the frames. For the messages of other hosts it calls
// learn and detect.
type resolver interface {
	// request returns a frame that asks for the MAC of target; nil: the protocol has none without a source. source is one of the stack's
	// addresses of the family; the zero Addr: there is none. The frame goes to the station to, or, if to is the zero MAC, to all stations that may have the
	// address.
	request(target, source netip.Addr, to MAC) *Packet
	// probe returns a frame that asks all stations whether one of them has the claim's address, before it is used. It is called with
	// Ethernet.mu held.
	probe(c *claim) *Packet
	// announce returns a frame that tells all stations that this one has addr; nil: the protocol has none.
	announce(addr netip.Addr) *Packet
	// defend returns a frame that answers another host's use of addr; nil: the protocol has none.
	defend(addr netip.Addr) *Packet
	// pace returns the protocol's times. It is called with Ethernet.mu held.
	pace(now time.Duration) pace
	// claims returns the times of the protocol's claims, and their state. Ethernet.mu guards it.
	claims() *claiming
}

// resolverOf returns the resolver of an address's family.
func (e *Ethernet) resolverOf(a netip.Addr) resolver {
	if a.Is4() {
		return &e.arp
	}
	return &e.discovery
}

// answer is the neighbour cache's decision about a packet to a neighbour.
type answer uint8

const (
	found       answer = iota // the packet can go to the neighbour's MAC
	pending                   // the packet is held until the neighbour has answered
	unreachable               // the neighbour did not answer lately
)

// resolve sends p to a neighbour that is not ready. The errors are those of Output.
func (e *Ethernet) resolve(now time.Duration, p *Packet, ip netip.Addr) error {
	source := e.handler.Source(p)
	e.mu.Lock()
	n := e.table.get(ip)
	if n == nil {
		n = e.add(ip)
	}
	answer, request := e.lookup(now, n, source)
	mac := n.mac
	if answer == pending {
		e.neighbors.DropHeld.Add(e.held.add(n, p))
	}
	e.mu.Unlock()
	e.emit(request)
	switch answer {
	case found:
		e.send(p, mac)
	case unreachable:
		drop(p, &e.neighbors.DropUnreachable)
		return syscall.EHOSTUNREACH
	}
	return nil
}

// emit writes a frame of a resolver, if there is one.
func (e *Ethernet) emit(p *Packet) {
	if p != nil {
		e.write(p)
	}
}

// lookup decides about a packet from source to n, and returns the request that has to be sent first, if any.
func (e *Ethernet) lookup(now time.Duration, n *neighbor, source netip.Addr) (a answer, request *Packet) {
	n.used = true
	switch n.state {
	case Failed:
		return unreachable, nil
	case unknown:
		n.state, n.since, n.asked, n.source = Incomplete, now, 0, source
		request = e.ask(now, n)
	case Stale:
		n.source = source
		request = e.check(now, n)
	}
	e.rank(n)
	if n.state == Incomplete {
		return pending, request
	}
	n.publish()
	return found, request
}

// check begins to find out whether a STALE neighbour that is used again is reachable, and returns the request that this needs now, if any.
func (e *Ethernet) check(now time.Duration, n *neighbor) *Packet {
	if delay := e.resolverOf(n.ip).pace(now).delay; delay > 0 {
		n.state = Delay
		n.deadline.arm(now + delay)
		return nil
	}
	return e.poll(now, n, 0)
}

// poll puts n into PROBE as if it had been asked often already, and returns the next request.
func (e *Ethernet) poll(now time.Duration, n *neighbor, asked int) *Packet {
	n.state, n.asked = Probe, asked
	return e.ask(now, n)
}

// ask returns the next request for n. In PROBE the first ones go to its own MAC, all others to all stations.
func (e *Ethernet) ask(now time.Duration, n *neighbor) *Packet {
	r := e.resolverOf(n.ip)
	pace := r.pace(now)
	var to MAC
	if n.state == Probe && n.asked < pace.unicast {
		to = n.mac
	}
	n.asked++
	n.deadline.arm(now + pace.interval)
	return r.request(n.ip, e.sourceFor(n), to)
}

// unanswered reports whether n has been asked as often as its protocol does.
func (e *Ethernet) unanswered(now time.Duration, n *neighbor) bool {
	pace := e.resolverOf(n.ip).pace(now)
	if n.state == Probe {
		return n.asked >= pace.unicast+pace.fallback
	}
	return n.asked >= pace.multicast
}

// sourceFor selects the source address of a request for n: the source of the datagram that needs the neighbour, or, if that is
// another host's, the stack's lowest address of the family (RFC 4861 section 7.2.2). The zero Addr: there is none.
func (e *Ethernet) sourceFor(n *neighbor) netip.Addr {
	if e.owns(n.source) {
		return n.source
	}
	return e.lowest(n.ip.Is4())
}

// lowest returns the stack's lowest address of a family; the zero Addr: there is none. It is called with Ethernet.mu held.
func (e *Ethernet) lowest(ipv4 bool) (a netip.Addr) {
	for own, c := range e.claims {
		if c.owned && own.Is4() == ipv4 && (!a.IsValid() || own.Less(a)) {
			a = own
		}
	}
	return a
}

// learn takes a neighbour's MAC into the cache: always if the neighbour is there, else only if create is set (RFC 826). It returns the
// packets that were held for the neighbour, or the poll that a dispute calls for.
func (e *Ethernet) learn(now time.Duration, ip netip.Addr, mac MAC, create bool) (held []*Packet, poll *Packet) {
	n := e.table.get(ip)
	if n == nil {
		if !create {
			return nil, nil
		}
		if n = e.addUnasked(ip); n == nil {
			e.neighbors.DropCacheFull.Inc()
			return nil, nil
		}
	}
	if n.trusted() && n.mac != mac {
		return nil, e.dispute(now, n)
	}
	n.mac = mac
	e.confirm(now, n, e.cfg.Neighbors.Reachable)
	return e.held.take(n), nil
}

// confirm makes a neighbour, whose MAC is known, REACHABLE for a time.
func (e *Ethernet) confirm(now time.Duration, n *neighbor, reachable time.Duration) {
	n.state, n.since = Reachable, now
	if n.used {
		n.publish()
	}
	n.deadline.arm(now + reachable)
	e.rank(n)
}

// stale makes a neighbour, whose MAC is known, STALE: the next packet to it begins a check.
func (e *Ethernet) stale(now time.Duration, n *neighbor) {
	n.state = Stale
	n.hide()
	n.deadline.arm(now + e.cfg.Neighbors.Stale)
	e.rank(n)
}

// dispute handles another station's claim to the address of a trusted neighbour: it returns a poll of the station that has the
// address. If that station does not answer within a second, all stations are asked, and the one that answers is believed. So
// the stack finds a neighbour's new MAC a second late, but a forged packet alone diverts no traffic.
func (e *Ethernet) dispute(now time.Duration, n *neighbor) *Packet {
	e.neighbors.DropDisputed.Inc()
	pace := e.resolverOf(n.ip).pace(now)
	if n.state == Probe || now < n.since+pace.interval {
		return nil
	}
	poll := e.poll(now, n, pace.unicast-1)
	e.rank(n)
	return poll
}

// expire moves n to its next state when its time in a state is over.
func (e *Ethernet) expire(now time.Duration, n *neighbor) {
	var request *Packet
	var held []*Packet
	e.mu.Lock()
	if !n.deadline.due(now) {
		e.mu.Unlock()
		return
	}
	switch n.state {
	case Reachable:
		e.stale(now, n)
	case Delay:
		request = e.poll(now, n, 0)
	case Incomplete, Probe:
		if e.unanswered(now, n) {
			held = e.fail(now, n)
		} else {
			request = e.ask(now, n)
		}
	case Stale, Failed:
		e.remove(n)
	}
	failed := n.state == Failed
	e.mu.Unlock()
	e.emit(request)
	if failed {
		e.handler.Silent(now, n.ip)
	}
	for _, p := range held {
		e.neighbors.DropUnreachable.Inc()
		e.handler.Unreachable(now, p)
	}
}

// fail gives a neighbour up and returns the packets that were held for it.
func (e *Ethernet) fail(now time.Duration, n *neighbor) []*Packet {
	e.neighbors.Failed.Inc()
	n.state, n.mac = Failed, MAC{}
	n.hide()
	n.deadline.arm(now + e.cfg.Neighbors.Failed)
	e.rank(n)
	return e.held.take(n)
}
