package socket

import (
	"net/netip"
	"sync"
)

// halfOpen counts the connections in SYN-RECEIVED of all listeners together, and of each source. It bounds the memory that SYNs can
// take, and keeps one source from taking all of it. A SYN beyond the bound is answered with a cookie.
type halfOpen struct {
	mu      sync.Mutex
	total   int
	sources map[netip.Addr]int
}

// sourceShare is the part of all half-open connections that one address may have.
const sourceShare = 4

// room reports whether one more connection from the source may be half-open, if limit may in all.
func (h *halfOpen) room(source netip.Addr, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total < limit && h.sources[source] < max(limit/sourceShare, 1)
}

func (h *halfOpen) add(source netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sources == nil {
		h.sources = make(map[netip.Addr]int)
	}
	h.total++
	h.sources[source]++
}

func (h *halfOpen) remove(source netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total--
	if h.sources[source]--; h.sources[source] > 0 {
		return
	}
	if delete(h.sources, source); len(h.sources) == 0 {
		h.sources = nil // a Go map never shrinks, so an empty one is dropped
	}
}
