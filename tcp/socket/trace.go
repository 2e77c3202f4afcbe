package socket

import (
	"net/netip"

	"tunstack/ip"
	"tunstack/tcp"
)

// tracerOf chooses the Tracer of a connection; nil: it has none.
type tracerOf = func(local, remote netip.AddrPort) tcp.Tracer

// SetTracer gives each connection, present and future, the Tracer that of returns for it, which may be nil; with a nil of, connections have
// no Tracer. A Tracer is called under its connection's lock, often on the packet path: it delays both, and must not call the Stack. A
// replaced Tracer may be called a last time while SetTracer runs.
func (s *Stack) SetTracer(of func(local, remote netip.AddrPort) tcp.Tracer) {
	if of == nil {
		s.tracers.Store(nil)
	} else {
		s.tracers.Store(&of)
	}
	for c := range s.conns.all() {
		h := c.begin()
		c.tcb.SetTracer(s.tracer(c.id))
		h.commitLater()
	}
}

// tracer is that of a connection.
func (s *Stack) tracer(id ip.FourTuple) tcp.Tracer {
	of := s.tracers.Load()
	if of == nil {
		return nil
	}
	return (*of)(id.Local(), id.Remote())
}
