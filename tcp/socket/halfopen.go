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
	sources map[netip.Addr]int // by sourceOf
}

// sourceOf is the address that stands for a source: the host's own, in IPv6 that of its network of 64 bits, of which one host can use
// every address.
func sourceOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	return netip.PrefixFrom(a, 64).Masked().Addr()
}

// sourceShare is the part of all half-open connections that one address may have.
const sourceShare = 4

// room reports whether one more connection from the source may be half-open, if limit may in all.
func (h *halfOpen) room(source netip.Addr, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total < limit && h.sources[sourceOf(source)] < max(limit/sourceShare, 1)
}

func (h *halfOpen) add(source netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sources == nil {
		h.sources = make(map[netip.Addr]int)
	}
	h.total++
	h.sources[sourceOf(source)]++
}

func (h *halfOpen) remove(source netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total--
	source = sourceOf(source)
	if h.sources[source]--; h.sources[source] > 0 {
		return
	}
	if delete(h.sources, source); len(h.sources) == 0 {
		h.sources = nil // a Go map never shrinks, so an empty one is dropped
	}
}
