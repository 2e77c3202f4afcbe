package socketapi

import (
	"net/netip"

	"tunstack/trace"
)

// TraceRecord describes one event of a connection, and the time of the event.
type TraceRecord = trace.Record

// Trace calls f with each event of the TCP connections that match selects, until stop is called. Several goroutines call f at once, often
// on the packet path, and f must not use the stack. While f runs, the connection is locked and the calling goroutine, which may be the one
// that receives packets, does nothing else. Connections that no Trace selects have no cost.
func (s *Stack) Trace(match func(local, remote netip.AddrPort) bool, f func(TraceRecord)) (stop func()) {
	return s.traces.Watch(match, f)
}
