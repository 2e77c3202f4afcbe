package link

import (
	"container/list"
	"net/netip"
)

// rank is the use of a cache entry. The entries of the lowest rank are evicted first.
type rank int

const (
	rankFailed  rank = iota
	rankLearned      // nothing was sent to it
	rankStale
	rankWaiting // packets are held for it
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

// touch moves n to the end of its rank. It is called after every change of n.
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

// least returns the entry to evict first; nil: the cache is empty.
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

// add makes an entry for a neighbour to which a packet is sent. If the cache is full, the entry with the lowest rank is
// evicted.
func (e *Ethernet) add(ip netip.Addr) *neighbor {
	if e.table.n >= e.cfg.Neighbors.Max {
		e.evict(e.ranking.least())
	}
	n := &neighbor{ip: ip, e: e}
	n.deadline.timer.Init(e.cfg.Timers, n)
	e.table.insert(n)
	return n
}

// addUnasked makes an entry for a neighbour that introduced itself. It returns nil if every entry of the cache has a higher
// rank: a flood of such neighbours evicts neither an entry in use nor one with packets held.
func (e *Ethernet) addUnasked(ip netip.Addr) *neighbor {
	if e.table.n >= e.cfg.Neighbors.Max && e.ranking.least().rank() > rankStale {
		return nil
	}
	return e.add(ip)
}

// evict removes an entry and drops the packets held for it.
func (e *Ethernet) evict(n *neighbor) {
	e.neighbors.Evicted.Inc()
	e.remove(n)
	n.deadline.stop()
	for _, p := range e.held.take(n) {
		drop(p, &e.neighbors.DropEvicted)
	}
}

func (e *Ethernet) remove(n *neighbor) {
	e.table.remove(n)
	e.ranking.remove(n)
}
