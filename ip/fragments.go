package ip

import (
	"time"

	"tunstack/internal/packet"
	"tunstack/ip/reassembly"
)

// Fragment is a received fragment of a datagram of either family, for Reassemble.
type Fragment = reassembly.Fragment[Arrival]

// Arrival describes how a datagram was received.
type Arrival struct {
	In   *Interface
	Cast packet.Cast
}

// Reassemble takes a fragment. It returns the datagram, and true, when the fragment completes it.
func (s *Stack) Reassemble(now time.Duration, f *Fragment) (reassembly.Whole, bool) {
	return s.reassembly.Add(now, f)
}

// timedOut reports to the sender of a datagram that its reassembly timed out; first is the fragment with offset 0.
func (s *Stack) timedOut(now time.Duration, a Arrival, first *packet.Buffer) {
	f := s.families.byVersion(first.Bytes())
	if d, ok := f.Parse(first.Bytes()); ok {
		d.In, d.Cast = a.In, a.Cast
		d.scope()
		f.Report(now, Error{Kind: ReassemblyTimeout}, &d, first)
	}
}

// FragmentMemory is the memory in bytes that datagrams in reassembly hold.
func (s *Stack) FragmentMemory() int { return s.reassembly.Held() }
