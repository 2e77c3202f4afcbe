package link

import (
	"container/list"
	"net/netip"
)

// rank is of what use a cache entry is, the least first.
type rank int

const (
	rankFailed rank = iota
	rankLearned
	rankStale
	rankWaiting
	rankInUse
	ranks
)

func (n *neighbor) rank() rank {
	switch {
	case n.state == Failed:
		return rankFailed
	case n.state == Incomplete:
		return rankWaiting
	case !n.used:
		return rankLearned
	case n.state == Stale:
		return rankStale
	}
	return rankInUse
}

// ranking holds the cache's entries by their rank, and within a rank in the order in which they last changed.
type ranking [ranks]list.List

// touch puts n behind the others of its rank. It is called after every change.
func (r *ranking) touch(n *neighbor) {
	to := n.rank()
	if n.place != nil && n.placed == to {
		r[to].MoveToBack(n.place)
		return
	}
	r.remove(n)
	n.place, n.placed = r[to].PushBack(n), to
}

func (r *ranking) remove(n *neighbor) {
	if n.place != nil {
		r[n.placed].Remove(n.place)
		n.place = nil
	}
}

// least is the entry of the least use, the first to go; nil if there is none.
func (r *ranking) least() *neighbor {
	for i := range r {
		if first := r[i].Front(); first != nil {
			return first.Value.(*neighbor)
		}
	}
	return nil
}

// all yields every entry.
func (r *ranking) all(yield func(*neighbor) bool) {
	for i := range r {
		for at := r[i].Front(); at != nil; at = at.Next() {
			if !yield(at.Value.(*neighbor)) {
				return
			}
		}
	}
}

// add makes an entry for a neighbour that we want to reach. There is always room: the entry of the least use goes.
func (e *Ethernet) add(ip netip.Addr) *neighbor {
	if e.table.n >= e.cfg.ARP.Max {
		e.evict(e.ranking.least())
	}
	n := &neighbor{ip: ip, e: e}
	n.deadline.timer.Init(e.cfg.Timers, n)
	e.table.insert(n)
	return n
}

// addUnasked makes an entry for a sender that we did not ask for. It returns nil if every entry in the cache is of more use:
// a flood of senders pushes out none that packets wait for or go to.
func (e *Ethernet) addUnasked(ip netip.Addr) *neighbor {
	if e.table.n >= e.cfg.ARP.Max && e.ranking.least().rank() > rankStale {
		return nil
	}
	return e.add(ip)
}

// evict removes an entry and drops what waits for it.
func (e *Ethernet) evict(n *neighbor) {
	e.arp.Evicted.Inc()
	e.remove(n)
	n.deadline.stop()
	for _, p := range e.held.take(n) {
		drop(p, &e.arp.DropEvicted)
	}
}

func (e *Ethernet) remove(n *neighbor) {
	e.table.remove(n)
	e.ranking.remove(n)
}
