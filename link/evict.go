package link

import "net/netip"

// add makes an entry for a neighbour that we want to reach. There is always room: the least useful entry goes.
func (e *Ethernet) add(ip netip.Addr) *neighbor {
	if e.table.n >= e.cfg.ARP.Max {
		e.evict(e.leastUseful())
	}
	n := &neighbor{ip: ip, e: e}
	n.deadline.timer.Init(e.cfg.Timers, n)
	e.table.insert(n)
	return n
}

// addUnasked makes an entry for a sender that we did not ask for. It returns nil if each entry in the cache is of more use:
// a flood of senders pushes out none that packets wait for or go to.
func (e *Ethernet) addUnasked(ip netip.Addr) *neighbor {
	if e.table.n >= e.cfg.ARP.Max && e.leastUseful().use() > useStale {
		return nil
	}
	return e.add(ip)
}

// Uses of an entry, the least first.
const (
	useFailed = iota
	useLearned
	useStale
	useWaiting
	useFull
)

func (n *neighbor) use() int {
	switch {
	case n.state == Failed:
		return useFailed
	case n.state == Incomplete:
		return useWaiting
	case !n.used:
		return useLearned
	case n.state == Stale:
		return useStale
	}
	return useFull
}

// leastUseful is the oldest entry of the least use.
func (e *Ethernet) leastUseful() *neighbor {
	var least *neighbor
	for n := range e.table.all {
		if least == nil || n.use() < least.use() || n.use() == least.use() && n.since < least.since {
			least = n
		}
	}
	return least
}

// evict removes an entry and drops what waits for it.
func (e *Ethernet) evict(n *neighbor) {
	e.arp.Evicted.Inc()
	e.table.remove(n)
	n.deadline.stop()
	for _, p := range e.held.take(n) {
		e.arp.DropEvicted.Inc()
		p.Free()
	}
}
