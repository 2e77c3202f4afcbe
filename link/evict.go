package link

import (
	"container/list"
	"net/netip"
)

// rank is the use of a cache entry. Entries whose MAC is not known, and those whose MAC is, have bounds of their own: a scan of the addresses of a
// network evicts no known neighbour (RFC 6583 section 7.1). Within the bound the entries of the lowest rank are evicted first.
type rank int

const (
	rankFailed  rank = iota
	rankWaiting      // packets are held for it

	rankLearned // nothing was sent to it
	rankStale
	rankInUse
	ranks
)

// known reports whether the MACs of the entries of a rank are known.
func (r rank) known() bool { return r >= rankLearned }

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

// touch moves n to the end of its rank.
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

// of returns the ranks of the entries whose MAC is known, or of the others.
func (r *ranking) of(known bool) []list.List {
	if known {
		return r[rankLearned:]
	}
	return r[:rankLearned]
}

// count counts the entries whose MAC is known, or the others.
func (r *ranking) count(known bool) (n int) {
	lists := r.of(known)
	for i := range lists {
		n += lists[i].Len()
	}
	return n
}

// least returns the entry to evict first among those whose MAC is known, or among the others; nil: there is none.
func (r *ranking) least(known bool) *neighbor {
	lists := r.of(known)
	for i := range lists {
		if first := lists[i].Front(); first != nil {
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

// add makes an entry for a neighbour. The caller sets its state and ranks it.
func (e *Ethernet) add(ip netip.Addr) *neighbor {
	n := &neighbor{ip: ip, e: e}
	n.deadline.timer.Init(e.cfg.Timers, n)
	e.table.insert(n)
	return n
}

// addUnasked makes an entry for a neighbour that introduced itself. It returns nil if the cache is full of neighbours in use: a flood of
// introductions evicts none of them.
func (e *Ethernet) addUnasked(ip netip.Addr) *neighbor {
	if e.ranking.count(true) >= e.bound(true) && e.ranking.least(true).rank() == rankInUse {
		return nil
	}
	return e.add(ip)
}

// bound is the largest number of entries whose MAC is known, or of the others.
func (e *Ethernet) bound(known bool) int {
	if known {
		return e.cfg.Neighbors.Max
	}
	return max(e.cfg.Neighbors.Max/2, 1)
}

// rank puts n in the place that its state gives it. If there are too many entries of its kind, the one with the lowest rank is evicted. It is
// called after every change of n.
func (e *Ethernet) rank(n *neighbor) {
	known := n.rank().known()
	moves := n.place == nil || n.placed.known() != known
	if moves && e.ranking.count(known) >= e.bound(known) {
		e.evict(e.ranking.least(known))
	}
	e.ranking.touch(n)
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
