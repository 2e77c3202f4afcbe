package link

import (
	"net/netip"
	"slices"
	"syscall"
	"time"

	"tunstack/internal/packet"
)

// ARP is how long the cache believes what it knows. Zero fields mean the defaults.
type ARP struct {
	Reachable time.Duration // how long a neighbour is believed after it was heard from: 60 s, at least 1 s
	Stale     time.Duration // how long one that nobody sends to is remembered after that: 5 min
	Failed    time.Duration // how long one that did not answer is not asked again: 5 s
	Max       int           // cache entries: 1024
}

func (a ARP) defaults() ARP {
	return ARP{
		Reachable: max(orDefault(a.Reachable, time.Minute), requestInterval),
		Stale:     orDefault(a.Stale, 5*time.Minute),
		Failed:    orDefault(a.Failed, 5*time.Second),
		Max:       max(orDefault(a.Max, 1024), 1),
	}
}

const (
	requestInterval = time.Second // between requests for one address (RFC 1122 section 2.3.2.1)
	unicastPolls    = 2           // requests to a stale neighbour's own MAC before all are asked (RFC 1122 section 2.3.2.1)
	broadcasts      = 3           // requests to all before the neighbour is given up
)

// Neighbor is one row of the ARP cache.
type Neighbor struct {
	IP    netip.Addr    `json:"ip"`
	MAC   MAC           `json:"mac"` // zero while not known
	State State         `json:"state"`
	Age   time.Duration `json:"age"` // since it was last heard from, or else first asked for
}

// Neighbors lists the ARP cache in the order of the addresses.
func (e *Ethernet) Neighbors(now time.Duration) []Neighbor {
	e.mu.Lock()
	defer e.mu.Unlock()
	rows := make([]Neighbor, 0, e.table.n)
	for n := range e.ranking.all {
		rows = append(rows, Neighbor{n.ip, n.mac, n.state, now - n.since})
	}
	slices.SortFunc(rows, func(a, b Neighbor) int { return a.IP.Compare(b.IP) })
	return rows
}

// resolve sends p to a neighbour about which something is to be decided first.
func (e *Ethernet) resolve(now time.Duration, p *packet.Buffer, ip netip.Addr) error {
	e.mu.Lock()
	n := e.table.get(ip)
	if n == nil {
		n = e.add(ip)
	}
	n.used = true
	var request *packet.Buffer
	switch n.state {
	case Failed:
		e.mu.Unlock()
		drop(p, &e.arp.DropUnreachable)
		return syscall.EHOSTUNREACH
	case unknown:
		n.state, n.since, n.asked, n.from = Incomplete, now, unicastPolls, source(p)
		request = e.ask(now, n)
	case Stale:
		n.state, n.asked, n.from = Probe, 0, source(p)
		request = e.ask(now, n)
	}
	e.ranking.touch(n)
	mac, known := n.mac, n.state != Incomplete
	if known {
		n.publish()
	} else {
		e.arp.DropHeld.Add(e.held.add(n, p))
	}
	e.mu.Unlock()
	if request != nil {
		e.write(request)
	}
	if known {
		e.send(p, mac)
	}
	return nil
}

// source is the source address of a datagram.
func source(p *packet.Buffer) netip.Addr { return netip.AddrFrom4([4]byte(p.Bytes()[12:16])) }

// ask returns the next request for n: the first ones to its own MAC, if it had one, then to all.
func (e *Ethernet) ask(now time.Duration, n *neighbor) *packet.Buffer {
	dst := broadcast
	if n.asked < unicastPolls {
		dst = n.mac
	}
	n.asked++
	n.deadline.arm(now + requestInterval)
	e.arp.OutRequests.Inc()
	request := arpPacket{op: opRequest, sha: e.mac, spa: e.sender(n.from), tpa: n.ip}
	return request.frameFor(dst)
}

// learn takes the sender of an ARP packet into the cache: always if it is there, else only if create is set
// (RFC 826). It returns the packets that waited for it, or the poll that a dispute calls for.
func (e *Ethernet) learn(now time.Duration, a *arpPacket, create bool) (held []*packet.Buffer, poll *packet.Buffer) {
	n := e.table.get(a.spa)
	if n == nil {
		if !create {
			return nil, nil
		}
		if n = e.addUnasked(a.spa); n == nil {
			e.arp.DropCacheFull.Inc()
			return nil, nil
		}
	}
	if n.trusted() && n.mac != a.sha {
		return nil, e.dispute(now, n)
	}
	n.state, n.mac, n.since = Reachable, a.sha, now
	if n.used {
		n.publish()
	}
	n.deadline.arm(now + e.cfg.ARP.Reachable)
	e.ranking.touch(n)
	return e.held.take(n), nil
}

// trusted says whether the neighbour's MAC is in use and was confirmed lately, and no poll of it has gone unanswered.
func (n *neighbor) trusted() bool {
	return n.used && (n.state == Reachable || n.state == Probe && n.asked <= unicastPolls)
}

// dispute handles another station's claim to the address of a trusted neighbour: it returns a poll of the one that has it. If that
// does not answer within a second, all are asked, and who answers then is believed. So a neighbour's new MAC is found a
// second late, and a forged ARP packet alone diverts nothing.
func (e *Ethernet) dispute(now time.Duration, n *neighbor) *packet.Buffer {
	e.arp.DropDisputed.Inc()
	if n.state == Probe || now < n.since+requestInterval {
		return nil
	}
	n.state, n.asked = Probe, unicastPolls-1
	poll := e.ask(now, n)
	e.ranking.touch(n)
	return poll
}

// expire moves a neighbour on when its time in a state is over.
func (e *Ethernet) expire(now time.Duration, n *neighbor) {
	var request *packet.Buffer
	var held []*packet.Buffer
	e.mu.Lock()
	if !n.deadline.due(now) {
		e.mu.Unlock()
		return
	}
	switch n.state {
	case Reachable:
		n.state = Stale
		n.fastMAC.Store(0)
		n.deadline.arm(now + e.cfg.ARP.Stale)
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
		e.arp.DropUnreachable.Inc()
		e.handler.Unreachable(now, p)
	}
}

// fail gives a neighbour up and returns what waited for it.
func (e *Ethernet) fail(now time.Duration, n *neighbor) []*packet.Buffer {
	e.arp.Failed.Inc()
	n.state, n.mac = Failed, MAC{}
	n.fastMAC.Store(0)
	n.deadline.arm(now + e.cfg.ARP.Failed)
	e.ranking.touch(n)
	return e.held.take(n)
}
