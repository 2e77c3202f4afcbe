package link

import (
	"net/netip"
	"syscall"
	"time"
)

const (
	requestInterval = time.Second // between requests for one address (RFC 1122 section 2.3.2.1; RFC 4861's RetransTimer)
	unicastPolls    = 2           // requests to a stale neighbour's own MAC before all stations are asked (RFC 1122 section 2.3.2.1)
	broadcasts      = 3           // requests to all stations before the neighbour is given up
)

// resolver is the protocol by which a family finds the MACs of its neighbours and keeps its own addresses unique. The neighbour cache decides
// when to ask, and a claim when to probe and to announce; the resolver writes the frames. For the messages of other hosts it calls
// learn and detect.
type resolver interface {
	// request returns a frame that asks for the MAC of target. source is one of the stack's addresses of the family; the zero
	// Addr: there is none. The frame goes to the station to, or, if to is the zero MAC, to all stations that may have the
	// address.
	request(target, source netip.Addr, to MAC) *Packet
	// probe returns a frame that asks all stations whether one of them has addr, before it is used.
	probe(addr netip.Addr) *Packet
	// announce returns a frame that tells all stations that this one has addr.
	announce(addr netip.Addr) *Packet
}

// resolverOf returns the resolver of an address's family; nil: there is none.
func (e *Ethernet) resolverOf(a netip.Addr) resolver {
	if a.Is4() {
		return &e.arp
	}
	return nil
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
	if e.resolverOf(ip) == nil {
		drop(p, &e.neighbors.DropUnreachable)
		return syscall.EAFNOSUPPORT
	}
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
	if request != nil {
		e.write(request)
	}
	switch answer {
	case found:
		e.send(p, mac)
	case unreachable:
		drop(p, &e.neighbors.DropUnreachable)
		return syscall.EHOSTUNREACH
	}
	return nil
}

// lookup decides about a packet from source to n, and returns the request that has to be sent first, if any.
func (e *Ethernet) lookup(now time.Duration, n *neighbor, source netip.Addr) (a answer, request *Packet) {
	n.used = true
	switch n.state {
	case Failed:
		return unreachable, nil
	case unknown:
		n.state, n.since, n.asked, n.source = Incomplete, now, unicastPolls, source
		request = e.ask(now, n)
	case Stale:
		n.state, n.asked, n.source = Probe, 0, source
		request = e.ask(now, n)
	}
	e.ranking.touch(n)
	if n.state == Incomplete {
		return pending, request
	}
	n.publish()
	return found, request
}

// ask returns the next request for n: the first ones go to its own MAC, if it had one, the others to all stations.
func (e *Ethernet) ask(now time.Duration, n *neighbor) *Packet {
	var to MAC
	if n.asked < unicastPolls {
		to = n.mac
	}
	n.asked++
	n.deadline.arm(now + requestInterval)
	return e.resolverOf(n.ip).request(n.ip, e.sourceFor(n), to)
}

// sourceFor selects the source address of a request for n: the source of the datagram that needs the neighbour, or, if that is
// another host's, the stack's lowest address of the family (RFC 4861 section 7.2.2). The zero Addr: there is none.
func (e *Ethernet) sourceFor(n *neighbor) (lowest netip.Addr) {
	if e.owns(n.source) {
		return n.source
	}
	for a, c := range e.claims {
		if c.owned && a.Is4() == n.ip.Is4() && (!lowest.IsValid() || a.Less(lowest)) {
			lowest = a
		}
	}
	return lowest
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
	n.state, n.mac, n.since = Reachable, mac, now
	if n.used {
		n.publish()
	}
	n.deadline.arm(now + e.cfg.Neighbors.Reachable)
	e.ranking.touch(n)
	return e.held.take(n), nil
}

// dispute handles another station's claim to the address of a trusted neighbour: it returns a poll of the station that has the
// address. If that station does not answer within a second, all stations are asked, and the one that answers is believed. So
// the stack finds a neighbour's new MAC a second late, but a forged packet alone diverts no traffic.
func (e *Ethernet) dispute(now time.Duration, n *neighbor) *Packet {
	e.neighbors.DropDisputed.Inc()
	if n.state == Probe || now < n.since+requestInterval {
		return nil
	}
	n.state, n.asked = Probe, unicastPolls-1
	poll := e.ask(now, n)
	e.ranking.touch(n)
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
		n.state = Stale
		n.hide()
		n.deadline.arm(now + e.cfg.Neighbors.Stale)
		e.ranking.touch(n)
	case Incomplete, Probe:
		if n.asked < unicastPolls+broadcasts {
			request = e.ask(now, n)
		} else {
			held = e.fail(now, n)
		}
	case Stale, Failed:
		e.remove(n)
	}
	e.mu.Unlock()
	if request != nil {
		e.write(request)
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
	e.ranking.touch(n)
	return e.held.take(n)
}
