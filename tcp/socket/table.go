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
	conns map[uint64]*Endpoint
	_     [32]byte // a cache line each
}

func (t *table) init(key uint64) { t.key = key }

// stripe returns the stripe of a FourTuple, and its hash.
func (t *table) stripe(id *ip.FourTuple) (*stripe, uint64) {
	h := id.Hash(t.key)
	return &t.stripes[h%uint64(len(t.stripes))], h
}

func (t *table) find(id *ip.FourTuple) *Endpoint {
	s, h := t.stripe(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.find(h, id)
}

func (s *stripe) find(h uint64, id *ip.FourTuple) *Endpoint {
	for e := s.conns[h]; e != nil; e = e.next {
		if e.id == *id {
			return e
		}
	}
	return nil
}

// insert enters e, whose id does not change until it is removed; false when the FourTuple is taken.
func (t *table) insert(e *Endpoint) bool {
	s, h := t.stripe(&e.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(h, e)
}

func (s *stripe) insert(h uint64, e *Endpoint) bool {
	if s.find(h, &e.id) != nil {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[uint64]*Endpoint)
	}
	e.next = s.conns[h]
	s.conns[h] = e
	return true
}

// remove takes e out if it is in the table.
func (t *table) remove(e *Endpoint) {
	s, h := t.stripe(&e.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(h, e)
}

func (s *stripe) remove(h uint64, e *Endpoint) {
	if rest := s.conns[h].without(e); rest != nil {
		s.conns[h] = rest
	} else if delete(s.conns, h); len(s.conns) == 0 {
		s.conns = nil // a Go map never shrinks, so an empty one is dropped
	}
}

// without is the chain that begins at first less e.
func (first *Endpoint) without(e *Endpoint) *Endpoint {
	switch {
	case first == nil:
		return nil
	case first == e:
		return e.next
	}
	first.next = first.next.without(e)
	return first
}

// all iterates over the connections, without a lock while it yields one.
func (t *table) all() iter.Seq[*Endpoint] {
	return func(yield func(*Endpoint) bool) {
		var list []*Endpoint
		for i := range t.stripes {
			list = t.stripes[i].appendTo(list[:0])
			for _, e := range list {
				if !yield(e) {
					return
				}
			}
		}
	}
}

func (s *stripe) appendTo(list []*Endpoint) []*Endpoint {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.conns {
		for ; e != nil; e = e.next {
			list = append(list, e)
		}
	}
	return list
}
