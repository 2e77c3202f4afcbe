package socket

import (
	"net/netip"

	"tunstack/ip"
	"tunstack/tcp"
)

// tracerOf chooses the Tracer of a connection; nil: it has none.
type tracerOf = func(local, remote netip.AddrPort) tcp.Tracer

// SetTracer gives each connection, present and future, the Tracer that of chooses for it, which may be nil; a nil of ends that. A tracer is
// called under its connection's lock, often on the packet path, and must not call the Demux; as long as it takes, it holds both. One that was
// replaced may be called a last time while SetTracer runs.
func (d *Demux) SetTracer(of func(local, remote netip.AddrPort) tcp.Tracer) {
	if of == nil {
		d.tracers.Store(nil)
	} else {
		d.tracers.Store(&of)
	}
	for e := range d.conns.all() {
		now := e.lock()
		if e.conn != nil {
			e.conn.SetTracer(d.tracer(e.id))
		}
		e.unlock(now)
	}
}

// tracer is that of a connection.
func (d *Demux) tracer(id ip.FourTuple) tcp.Tracer {
	of := d.tracers.Load()
	if of == nil {
		return nil
	}
	return (*of)(id.Local(), id.Remote())
}
