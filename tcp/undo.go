package tcp

import "time"

// A recovery is spurious if nothing was lost: segments were only late, or overtook each other. Three kinds of evidence show it:
//
//   - D-SACK (RFC 3708): the peer reports as duplicate all that was sent again.
//   - Eifel (RFC 3522): the ACK that covers what was sent again echoes a timestamp from before that.
//   - F-RTO (RFC 5682), after a timeout, for connections without timestamps: ACKs cover what was taken for lost and not sent again.
//
// The backoff of the retransmission timer stays until a round trip is measured: a path may just have become slower than its timer.
//
// The response is Linux's (tcp_undo_cwnd_reduction): window, threshold and the algorithm's state become again what they were.
// RFC 4015 would let the window only grow back to that; but all that is in flight counts again, so no burst follows.

// undo is what a recovery may be undone with.
type undo struct {
	armed   bool
	resent  bool // something was sent again
	timeout bool // the retransmission timer has expired
	frto    frtoStep

	cwnd, ssthresh int // before
	rack           rackMark
	marker         Seq    // SND.UNA when recovery began (Linux: undo_marker)
	high           Seq    // the end of what was sent again
	probed         Seq    // the end of a tail loss probe that was out
	retrans        int    // bytes sent again and not reported as duplicates (Linux: undo_retrans)
	stamp          uint32 // timestamp of the first retransmission (Linux: retrans_stamp)
	until          Seq    // once this is acknowledged after recovery, no evidence comes any more
}

// frtoStep is where F-RTO stands (RFC 5682 sections 2.1 and 3.1).
type frtoStep uint8

const (
	frtoOff  frtoStep = iota
	frtoWait          // for the first new ACK after the retransmission
	frtoNew           // new data goes instead of what is lost; the next ACK decides
)

// begin remembers what a recovery, or a timeout, is about to change. A tail loss probe that is out may yet be reported as duplicate.
func (u *undo) begin(c *Conn) {
	n := &c.snd
	*u = undo{armed: true, cwnd: c.cc.cwnd, ssthresh: c.cc.ssthresh, rack: c.rack.rackMark, marker: n.una, high: n.una, probed: n.una, until: n.nxt}
	if c.tlp.active && c.tlp.retrans {
		u.probed, u.retrans = c.tlp.end, min(n.mss, n.nxt.Sub(n.una))
	}
}

// repeated notes that w is sent again.
func (u *undo) repeated(c *Conn, now time.Duration, w Range) {
	if !u.resent {
		u.resent, u.stamp = true, c.timestamp(now)
	}
	u.retrans += w.Len()
	u.high = maxSeq(u.high, w.End)
}

// duplicated takes a D-SACK. Of what was not sent again the network has made a copy.
func (u *undo) duplicated(w Range) {
	if u.marker.LessEq(w.Start) && w.End.LessEq(maxSeq(u.high, u.probed)) {
		u.retrans -= w.Len()
	}
}

// spurious returns the rule by which an acknowledgment shows that the recovery was needless; "" is none.
func (u *undo) spurious(c *Conn, s *Segment, f *feedback) (rule string) {
	switch {
	case !u.resent:
		return ""
	case u.retrans <= 0:
		return "D-SACK"
	case u.eifel(c, s, f):
		return "Eifel"
	case u.frto != frtoOff && u.forward(c, f):
		return "F-RTO"
	}
	return ""
}

// eifel is RFC 3522 section 3.2, asked when all that was sent again is covered. A peer without D-SACK that acknowledges all that is in
// flight proves nothing: all its ACKs may have been lost (step 5).
func (u *undo) eifel(c *Conn, s *Segment, f *feedback) bool {
	echo := s.Options.TSEcr
	return c.tsOK && f.advanced && echo != 0 && int32(echo-u.stamp) < 0 && u.high.LessEq(c.snd.una) &&
		!c.rack.duplicate && (c.snd.una != c.snd.nxt || c.rack.steps > 0)
}

// forward takes a step of F-RTO and returns true when it finds the timeout spurious. The first new ACK proves nothing, for what it covers
// beside the retransmission may have arrived long ago while ACKs were lost.
func (u *undo) forward(c *Conn, f *feedback) bool {
	n := &c.snd
	duplicate := !f.advanced && (!c.sackOK && f.acked > 0)
	switch {
	case duplicate || f.advanced && c.cc.recover.LessEq(n.una):
		u.frto = frtoOff
	case u.frto == frtoNew && f.any && c.cc.recover.Less(f.latest.End): // new data arrived before what was taken for lost
		u.frto = frtoOff
	case u.frto == frtoNew:
		return f.mistaken
	case f.advanced && min(n.unsent(), n.una.Add(n.wnd).Sub(n.nxt)) >= n.mss:
		u.frto = frtoNew
	case f.advanced:
		u.frto = frtoOff
	}
	return false
}

// timedOut goes on with the evidence after a timeout. Timestamps tell more than F-RTO does. F-RTO needs a timeout that is the first to
// send anything again (RFC 5682 section 2.1 step 1).
func (u *undo) timedOut(c *Conn, first bool) {
	if u.timeout = true; c.tsOK || !first && u.frto != frtoWait {
		u.frto = frtoOff
	} else {
		u.frto = frtoWait
	}
}

// tryUndo undoes a spurious recovery, if an acknowledgment shows that it was one.
func (c *Conn) tryUndo(now time.Duration, s *Segment, f *feedback) bool {
	r := c.cc.repair
	if r == nil || !r.undo.armed {
		return false
	}
	rule := r.undo.spurious(c, s, f)
	switch rule {
	case "D-SACK":
		c.cfg.Stats.UndoDSACK.Inc()
	case "Eifel":
		c.cfg.Stats.UndoEifel.Inc()
	case "F-RTO":
		c.cfg.Stats.UndoFRTO.Inc()
	default:
		r.undo.armed = c.cc.state != open || !f.advanced || c.snd.una.Less(r.undo.until)
		return false
	}
	c.trace(now, Event{Kind: RecoveryUndone, Why: rule})
	if rule != "D-SACK" || c.cc.state == loss { // D-SACKs tell of what was sent again, and nothing of what else is taken for lost
		c.snd.board.spare()
	}
	c.snd.dupAcks = 0
	c.rack.restore(&r.undo)
	c.cc.undo(c)
	return true
}

// undo brings back the window from before the recovery.
func (g *congestion) undo(c *Conn) {
	u := &g.repair.undo
	g.cwnd, g.ssthresh = max(g.cwnd, u.cwnd), max(g.ssthresh, u.ssthresh)
	g.algorithm.undo(c)
	g.state, g.recover = open, c.snd.una
	u.armed, u.frto = false, frtoOff
}

// holding says whether F-RTO lets new data go instead of what is lost.
func (g *congestion) holding() bool { return g.repair != nil && g.repair.undo.frto == frtoNew }

// cannotUndo makes a recovery stay.
func (g *congestion) cannotUndo() {
	if g.repair != nil {
		g.repair.undo.armed, g.repair.undo.frto = false, frtoOff
	}
}

// restore takes back what RACK learned from ACKs of originals that it took for those of copies. Segments that overtake each other start
// a recovery again unless RACK waits for them.
func (r *rack) restore(u *undo) {
	if r.rackMark = u.rack; !u.timeout {
		r.reordered = true
	}
}

// spare takes nothing for lost any more but what was lost when it was sent again.
func (b *scoreboard) spare() {
	if b.lost == 0 {
		return
	}
	for _, seq := range b.losses.holes {
		p := b.find(seq)
		if !b.valid(p) {
			continue
		}
		if f := b.at(p); f.lost && !f.retrans {
			f.lost = false
			b.lost -= f.Len()
			b.fresh = minSeq(b.fresh, f.Start)
		}
	}
}
