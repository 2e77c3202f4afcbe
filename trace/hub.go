package trace

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/tcp"
)

// Hub passes the events of one stack's connections to any number of watchers.
type Hub struct {
	install func(of func(local, remote netip.AddrPort) tcp.Tracer)

	mu       sync.Mutex // of changes of watchers
	watchers atomic.Pointer[[]*watcher]
}

type watcher struct {
	match Match
	f     func(Record)
}

// NewHub returns a Hub that sets the Tracers of connections by install. install is called with a function that returns the Tracer of a
// connection, or with nil after the last watcher has left.
func NewHub(install func(of func(local, remote netip.AddrPort) tcp.Tracer)) *Hub {
	h := &Hub{install: install}
	h.watchers.Store(new([]*watcher))
	return h
}

// Watch calls f with the Records of the connections that match selects, until stop is called. f may be called once more while stop runs
// and shortly after it. Several goroutines call f concurrently, often on the packet path: f must not use the stack, and blocks the
// connection and the goroutine while it runs.
func (h *Hub) Watch(match Match, f func(Record)) (stop func()) {
	w := &watcher{match, f}
	h.change(func(list []*watcher) []*watcher { return append(list, w) })
	return sync.OnceFunc(func() {
		h.change(func(list []*watcher) []*watcher {
			return slices.DeleteFunc(list, func(o *watcher) bool { return o == w })
		})
	})
}

func (h *Hub) change(f func([]*watcher) []*watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := f(slices.Clone(*h.watchers.Load()))
	h.watchers.Store(&list)
	if len(list) == 0 {
		h.install(nil)
	} else {
		h.install(h.tracer)
	}
}

// tracer returns the Tracer of a connection, or nil if nobody watches it.
func (h *Hub) tracer(local, remote netip.AddrPort) tcp.Tracer {
	for _, w := range *h.watchers.Load() {
		if w.match(local, remote) {
			return &tap{h, local, remote}
		}
	}
	return nil
}

// tap is the Tracer of one connection.
type tap struct {
	hub           *Hub
	local, remote netip.AddrPort
}

// Trace implements tcp.Tracer.
func (t *tap) Trace(now time.Duration, c *tcp.Conn, e tcp.Event) {
	r := New(now, t.local, t.remote, c, e)
	for _, w := range *t.hub.watchers.Load() {
		if w.match(t.local, t.remote) {
			w.f(r)
		}
	}
}
