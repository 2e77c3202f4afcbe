package socket

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"sync"
)

// tuple identifies a connection.
type tuple struct {
	local, remote         [4]byte
	localPort, remotePort uint16
}

func (t tuple) localAddr() netip.Addr  { return netip.AddrFrom4(t.local) }
func (t tuple) remoteAddr() netip.Addr { return netip.AddrFrom4(t.remote) }

func (t tuple) localEnd() netip.AddrPort  { return netip.AddrPortFrom(t.localAddr(), t.localPort) }
func (t tuple) remoteEnd() netip.AddrPort { return netip.AddrPortFrom(t.remoteAddr(), t.remotePort) }

// table finds connections. It is striped, so that queues and users seldom meet.
type table struct {
	key     uint64
	stripes [64]stripe
}

type stripe struct {
	mu    sync.RWMutex
	conns map[tuple]*Endpoint
	_     [32]byte // a cache line each
}

func (t *table) init(key uint64) { t.key = key }

// hash mixes the tuple with the key, so that nobody outside can fill one stripe.
func (t *table) hash(id tuple) uint64 {
	x := binary.LittleEndian.Uint64([]byte{id.remote[0], id.remote[1], id.remote[2], id.remote[3], id.local[0], id.local[1], id.local[2], id.local[3]})
	x ^= t.key
	x = (x ^ x>>29 ^ uint64(id.remotePort)<<16 ^ uint64(id.localPort)) * 0x9e3779b97f4a7c15
	return x ^ x>>32
}

func (t *table) stripe(id tuple) *stripe { return &t.stripes[t.hash(id)%uint64(len(t.stripes))] }

func (t *table) find(id tuple) *Endpoint {
	s := t.stripe(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.conns[id]
}

// insert returns false when the tuple is taken.
func (t *table) insert(id tuple, e *Endpoint) bool {
	s := t.stripe(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[id] != nil {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[tuple]*Endpoint)
	}
	s.conns[id] = e
	return true
}

func (t *table) remove(id tuple, e *Endpoint) {
	s := t.stripe(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[id] != e {
		return
	}
	if delete(s.conns, id); len(s.conns) == 0 {
		s.conns = nil // a map keeps the memory of its fullest day
	}
}

// all goes through the connections, with no lock held while it tells of one.
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
		list = append(list, e)
	}
	return list
}
