package sim

import (
	"slices"

	"tunstack/tcp"
)

// transitions are those of RFC 9293 section 3.3.2, figure 5, and those of resets and timeouts. CLOSED includes LISTEN, to which a passive
// open returns.
var transitions = map[tcp.State][]tcp.State{
	tcp.SynSent:     {tcp.SynReceived, tcp.Established, tcp.Closed},
	tcp.SynReceived: {tcp.Established, tcp.Closed},
	tcp.Established: {tcp.FinWait1, tcp.CloseWait, tcp.Closed},
	tcp.FinWait1:    {tcp.FinWait2, tcp.Closing, tcp.Closed},
	tcp.FinWait2:    {tcp.TimeWait, tcp.Closed},
	tcp.CloseWait:   {tcp.LastAck, tcp.Closed},
	tcp.Closing:     {tcp.TimeWait, tcp.Closed},
	tcp.LastAck:     {tcp.Closed},
	tcp.TimeWait:    {tcp.Closed},
}

// Legal reports whether a connection may change from one state to the other.
func Legal(from, to tcp.State) bool { return slices.Contains(transitions[from], to) }

// checker checks at every segment the rules for an End that can be seen from outside.
type checker struct {
	sentAny, heardAny bool
	top               tcp.Seq // the end of the data sent
	acked             tcp.Seq // the latest acknowledgment sent
	edge              tcp.Seq // the right edge of the window announced last
	room              tcp.Seq // the rightmost edge that the peer has announced
	heard             tcp.Seq // the end of the data received, in the window or not
	own, peer         scale
	mss               int // of the peer's SYN
}

// scale is the window scale option of one side's SYN; it counts if the other's had one too (RFC 7323 section 2.2).
type scale struct {
	offered bool
	shift   uint8
}

// shift returns the window scale of a segment from a.
func shift(s *tcp.Segment, a, b scale) uint8 {
	if !a.offered || !b.offered || s.Flags.Has(tcp.SYN) {
		return 0
	}
	return a.shift
}

// received records what a segment that arrives permits the machine of e to send.
func (k *checker) received(e *End, s *tcp.Segment) {
	if s.Flags.Has(tcp.SYN) && !k.heardAny {
		k.heardAny, k.heard, k.mss = true, s.Seq, tcp.DefaultMSS(e.netHeader())
		if s.Options.MSS > 0 {
			k.mss = int(s.Options.MSS)
		}
		k.peer = scale{s.Options.HasScale, s.Options.Scale}
	}
	if !k.heardAny || s.Flags.Has(tcp.RST) {
		return
	}
	k.heard = later(k.heard, s.End())
	if s.Flags.Has(tcp.ACK) {
		k.room = later(k.room, s.Ack.Add(int(s.Wnd)<<shift(s, k.peer, k.own)))
	}
}

func later(a, b tcp.Seq) tcp.Seq {
	if a.Less(b) {
		return b
	}
	return a
}

// sent checks a segment that the machine sends.
func (k *checker) sent(e *End, s *tcp.Segment) {
	switch {
	case s.Flags.Has(tcp.RST):
		return
	case s.Flags.Has(tcp.SYN):
		k.syn(s)
	case !k.sentAny || !s.Flags.Has(tcp.ACK):
		e.sim.fail("end %d sends %v before its SYN, or without an ACK", e.index, s)
	default:
		k.size(e, s)
		k.window(e, s)
	}
	k.acknowledgment(e, s)
	k.top = later(k.top, s.End())
}

func (k *checker) syn(s *tcp.Segment) {
	if !k.sentAny {
		k.sentAny, k.top, k.room = true, s.End(), s.End()
	}
	k.own = scale{s.Options.HasScale, s.Options.Scale}
}

// size checks that a packet, options included, fits the peer's MSS, and the MTU (RFC 9293 section 3.7.1).
func (k *checker) size(e *End, s *tcp.Segment) {
	n := s.DataLen()
	if s.MSS > 0 {
		n = s.MSS
	}
	if n > 0 && s.HeaderLen()-tcp.HeaderLen+n > k.mss {
		e.sim.fail("end %d sends more than the peer's MSS of %d: %v", e.index, k.mss, s)
	}
	if e.netHeader()+s.HeaderLen()+n > e.Conn.MTU() {
		e.sim.fail("end %d sends more than the MTU of %d: %v", e.index, e.Conn.MTU(), s)
	}
}

// window checks that new data fit the peer's window, which a window probe may exceed by one byte.
func (k *checker) window(e *End, s *tcp.Segment) {
	if s.Len() > 0 && k.room.Add(1).Less(s.End()) {
		e.sim.fail("end %d sends beyond the window, which ends at %d: %v", e.index, k.room, s)
	}
}

// announcement checks that the right edge of the own window never moves left, except for the rounding of a scaled window. SYNs are
// exempt: their window is not scaled.
func (k *checker) announcement(e *End, s *tcp.Segment) {
	if s.Flags.Has(tcp.SYN) {
		return
	}
	by := shift(s, k.own, k.peer)
	edge := s.Ack.Add(int(s.Wnd) << by)
	if k.edge != 0 && edge.Less(k.edge.Add(1-1<<by)) {
		e.sim.fail("end %d moves its right edge left, from %d to %d: %v", e.index, k.edge, edge, s)
	}
	k.edge = edge
}

// acknowledgment checks that an ACK covers only data received, and never moves back.
func (k *checker) acknowledgment(e *End, s *tcp.Segment) {
	if !s.Flags.Has(tcp.ACK) {
		return
	}
	if !k.heardAny || k.heard.Less(s.Ack) || k.acked != 0 && s.Ack.Less(k.acked) {
		e.sim.fail("end %d acknowledges data that never arrived, or less than before: %v", e.index, s)
	}
	k.acked = s.Ack
	k.announcement(e, s)
	for _, b := range s.Options.Sack[:s.Options.SackCount] {
		if !b.Start.Less(b.End) || k.heard.Less(b.End) {
			e.sim.fail("end %d has a SACK block of data that never arrived: %v", e.index, s)
		}
	}
}
