package socketapi

import (
	"net/netip"

	"tunstack/trace"
)

// TraceRecord is what a connection did, at one moment.
type TraceRecord = trace.Record

// Trace calls f with all that the TCP connections do which match selects, from now on until stop is called. f is called on several
// goroutines at once, often on the packet path, and must not use the stack. As long as it takes, it holds the connection and all that
// its goroutine does else, which may be the receiving of packets. What nobody watches costs nothing.
func (s *Stack) Trace(match func(local, remote netip.AddrPort) bool, f func(TraceRecord)) (stop func()) {
	return s.traces.Watch(match, f)
}
