package socket

import (
	"iter"
	"sync"

	"tunstack/ip"
)

// table finds connections by their FourTuples. It is striped, so that device queues and users seldom wait for each other.
type table struct {
	key     uint64 // secret, so that nobody outside can fill one stripe
	stripes [64]stripe
}

// stripe maps hashes to connections; those with equal hashes are linked by next. A map with FourTuples as keys would need
// twice the memory for each connection.
type stripe struct {
	mu    sync.RWMutex
	conns map[uint64]*connection
	_     [32]byte // a cache line each
}

func (t *table) init(key uint64) { t.key = key }

// stripe returns the stripe of a FourTuple, and its hash.
func (t *table) stripe(id *ip.FourTuple) (*stripe, uint64) {
	h := id.Hash(t.key)
	return &t.stripes[h%uint64(len(t.stripes))], h
}

func (t *table) find(id *ip.FourTuple) *connection {
	s, h := t.stripe(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.find(h, id)
}

func (s *stripe) find(h uint64, id *ip.FourTuple) *connection {
	for c := s.conns[h]; c != nil; c = c.next {
		if c.id == *id {
			return c
		}
	}
	return nil
}

// insert enters c; false when the FourTuple is taken.
func (t *table) insert(c *connection) bool {
	s, h := t.stripe(&c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(h, c)
}

func (s *stripe) insert(h uint64, c *connection) bool {
	if s.find(h, &c.id) != nil {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[uint64]*connection)
	}
	c.next = s.conns[h]
	s.conns[h] = c
	return true
}

// remove takes c out if it is in the table.
func (t *table) remove(c *connection) {
	s, h := t.stripe(&c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(h, c)
}

func (s *stripe) remove(h uint64, c *connection) {
	if rest := without(s.conns[h], c); rest != nil {
		s.conns[h] = rest
	} else if delete(s.conns, h); len(s.conns) == 0 {
		s.conns = nil // a Go map never shrinks, so an empty one is dropped
	}
}

// without is the chain that begins at first, without c.
func without(first, c *connection) *connection {
	switch {
	case first == nil:
		return nil
	case first == c:
		return c.next
	}
	first.next = without(first.next, c)
	return first
}

// all iterates over the connections, without a lock while it yields one.
func (t *table) all() iter.Seq[*connection] {
	return func(yield func(*connection) bool) {
		var list []*connection
		for i := range t.stripes {
			list = t.stripes[i].appendTo(list[:0])
			for _, c := range list {
				if !yield(c) {
					return
				}
			}
		}
	}
}

func (s *stripe) appendTo(list []*connection) []*connection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.conns {
		for ; c != nil; c = c.next {
			list = append(list, c)
		}
	}
	return list
}
