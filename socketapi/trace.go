package socketapi

import (
	"net/netip"

	"tunstack/internal/trace"
)

// TraceRecord is what a connection did, at one moment.
type TraceRecord = trace.Record

// Trace calls f with all that the TCP connections do which match selects, from now on until stop is called. f is called on several
// goroutines at once, often on the packet path: it must be quick, and must not use the stack. What nobody watches
// costs nothing.
func (s *Stack) Trace(match func(local, remote netip.AddrPort) bool, f func(TraceRecord)) (stop func()) {
	return s.traces.Watch(match, f)
}
