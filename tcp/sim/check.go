package sim

import (
	"slices"

	"tunstack/tcp"
)

// transitions are those of RFC 9293 section 3.3.2, figure 5, and of resets and timeouts. CLOSED stands for LISTEN too, to
// which a passive open returns.
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

// Legal says whether a connection may go from one state straight to the other.
func Legal(from, to tcp.State) bool { return slices.Contains(transitions[from], to) }

// checker holds an End to the rules that can be seen from outside, at every segment.
type checker struct {
	sentAny, heardAny bool
	top               tcp.Seq // the end of all that was sent
	acked             tcp.Seq // the latest acknowledgment that was sent
	edge              tcp.Seq // the right edge that we announced last
	room              tcp.Seq // the right edge that the peer has announced at best
	heard             tcp.Seq // the end of all that has arrived, in the window or not
	own, peer         scale
	mss               int // of the peer, what its SYN said
}

// scale is the window scale option of one side's SYN; it counts if the other's had one too (RFC 7323 section 2.2).
type scale struct {
	offered bool
	shift   uint8
}

// shift is how far the window field of a segment from a is to be shifted.
func shift(s *tcp.Segment, a, b scale) uint8 {
	if !a.offered || !b.offered || s.Flags.Has(tcp.SYN) {
		return 0
	}
	return a.shift
}

// received notes what a segment on its way into the machine allows.
func (k *checker) received(s *tcp.Segment) {
	if s.Flags.Has(tcp.SYN) && !k.heardAny {
		k.heardAny, k.heard, k.mss = true, s.Seq, tcp.DefaultMSS
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

// sent looks at a segment that the machine wants to send.
func (k *checker) sent(e *End, s *tcp.Segment) {
	switch {
	case s.Flags.Has(tcp.RST):
		return
	case s.Flags.Has(tcp.SYN):
		k.syn(s)
	case !k.sentAny || !s.Flags.Has(tcp.ACK):
		e.sim.fail("end %d sends %v before, or without, what comes first", e.index, s)
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

// size holds a packet to the peer's MSS, from which all options are subtracted, and to the MTU (RFC 9293 section 3.7.1).
func (k *checker) size(e *End, s *tcp.Segment) {
	n := s.DataLen()
	if s.MSS > 0 {
		n = s.MSS
	}
	if n > 0 && s.HeaderLen()-tcp.HeaderLen+n > k.mss {
		e.sim.fail("end %d sends more than the peer's MSS of %d: %v", e.index, k.mss, s)
	}
	if ipHeaderLen+s.HeaderLen()+n > e.Conn.MTU() {
		e.sim.fail("end %d sends more than the MTU of %d: %v", e.index, e.Conn.MTU(), s)
	}
}

// window holds new data to the peer's window, which a probe may exceed by one octet.
func (k *checker) window(e *End, s *tcp.Segment) {
	if s.Len() > 0 && k.room.Add(1).Less(s.End()) {
		e.sim.fail("end %d sends beyond the window, which ends at %d: %v", e.index, k.room, s)
	}
}

// announcement holds the own right edge to never move left, but by the rounding of a scaled window. A SYN,ACK sent again
// after an ACK cannot say how large the window is.
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

// acknowledgment holds an ACK to what has arrived, and lets it never go back.
func (k *checker) acknowledgment(e *End, s *tcp.Segment) {
	if !s.Flags.Has(tcp.ACK) {
		return
	}
	if !k.heardAny || k.heard.Less(s.Ack) || k.acked != 0 && s.Ack.Less(k.acked) {
		e.sim.fail("end %d acknowledges what never came, or less than before: %v", e.index, s)
	}
	k.acked = s.Ack
	k.announcement(e, s)
	for _, b := range s.Options.Sack[:s.Options.SackCount] {
		if !b.Start.Less(b.End) || k.heard.Less(b.End) {
			e.sim.fail("end %d reports what never came: %v", e.index, s)
		}
	}
}
