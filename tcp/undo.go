package tcp

import "time"

// A recovery is spurious if nothing was lost: the network delayed or reordered segments. Three rules detect it:
//
//   - D-SACK (RFC 3708): the peer reports all retransmitted data as duplicate.
//   - Eifel (RFC 3522): the ACK that covers the retransmitted data echoes a timestamp from before the first retransmission.
//   - F-RTO (RFC 5682), after a timeout, for connections without timestamps: ACKs cover data that was marked lost and not retransmitted.
//
// The response is Linux's (tcp_undo_cwnd_reduction): cwnd, ssthresh and the state of the algorithm return to their values from before the
// recovery. RFC 4015 makes the window grow back instead, to avoid a burst; here no burst follows, because all data in flight counts again.
// The backoff of the retransmission timer stays until the next RTT sample, because the path may have become slower.

// undo holds the values from before a recovery, and the evidence that it was spurious.
type undo struct {
	armed   bool // the recovery can be undone
	resent  bool // data was retransmitted
	timeout bool // the retransmission timer has expired
	frto    frtoStep

	cwnd, ssthresh int      // the values from before
	rack           rackMark // the value from before
	marker         Seq      // SND.UNA when recovery began (Linux: undo_marker)
	high           Seq      // the end of the retransmitted data
	probed         Seq      // the end of a tail loss probe that was in flight when recovery began
	retrans        int      // bytes retransmitted and not reported as duplicates (Linux: undo_retrans)
	retransStamp   uint32   // timestamp of the first retransmission (Linux: retrans_stamp)
	until          Seq      // D-SACKs after recovery undo it until this is acknowledged
}

// frtoStep is a step of F-RTO (RFC 5682 sections 2.1 and 3.1).
type frtoStep uint8

const (
	frtoOff  frtoStep = iota
	frtoWait          // wait for the first ACK that advances SND.UNA
	frtoNew           // send new data and no lost data; the next ACK decides
)

// begin saves the values that a recovery or a timeout changes. It counts a tail loss probe in flight as retransmitted, because the peer may
// report it as a duplicate.
func (u *undo) begin(c *Conn) {
	snd := &c.snd
	*u = undo{armed: true, cwnd: c.cc.cwnd, ssthresh: c.cc.ssthresh, rack: c.rack.rackMark, marker: snd.una, high: snd.una, probed: snd.una, until: snd.nxt}
	if c.tlp.active && c.tlp.retrans {
		u.probed, u.retrans = c.tlp.end, min(snd.mss, snd.nxt.Sub(snd.una))
	}
}

// retransmitted follows the retransmission of w.
func (u *undo) retransmitted(c *Conn, now time.Duration, w Range) {
	if !u.resent {
		u.resent, u.retransStamp = true, c.timestamp(now)
	}
	u.retrans += w.Len()
	u.high = maxSeq(u.high, w.End)
}

// duplicated takes a D-SACK. It ignores data that was not retransmitted: the network made that copy.
func (u *undo) duplicated(w Range) {
	if u.marker.LessEq(w.Start) && w.End.LessEq(maxSeq(u.high, u.probed)) {
		u.retrans -= w.Len()
	}
}

// spurious returns the rule by which an ACK shows that the recovery was spurious; "": none.
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

// eifel is RFC 3522 section 3.2, for the ACK that covers all retransmitted data. If a peer without D-SACK acknowledges all data in flight,
// that proves nothing: all its earlier ACKs may have been lost (step 5).
func (u *undo) eifel(c *Conn, s *Segment, f *feedback) bool {
	echo := s.Options.TSEcr
	return c.tsOK && f.advanced && echo != 0 && int32(echo-u.retransStamp) < 0 && u.high.LessEq(c.snd.una) &&
		!c.rack.duplicate && (c.snd.una != c.snd.nxt || c.rack.steps > 0)
}

// forward takes a step of F-RTO and returns true if it finds the timeout spurious. The first ACK that advances SND.UNA does not decide: the data
// that it covers besides the retransmission may have arrived before, and its ACKs been lost.
func (u *undo) forward(c *Conn, f *feedback) bool {
	snd := &c.snd
	duplicate := !c.sackOK && !f.advanced && f.acked > 0
	switch {
	case duplicate || f.advanced && c.cc.recover.LessEq(snd.una):
		u.frto = frtoOff
	case u.frto == frtoNew && f.any && c.cc.recover.Less(f.latest.End): // new data arrived, and the data marked lost did not
		u.frto = frtoOff
	case u.frto == frtoNew:
		return f.mistaken
	case f.advanced && min(snd.unsent(), snd.una.Add(snd.wnd).Sub(snd.nxt)) >= snd.mss:
		u.frto = frtoNew
	case f.advanced:
		u.frto = frtoOff
	}
	return false
}

// timedOut begins F-RTO at a timeout, unless the connection has timestamps, with which Eifel decides, or other data was retransmitted before
// (RFC 5682 section 2.1 step 1).
func (u *undo) timedOut(c *Conn) {
	if u.timeout = true; c.tsOK || c.cc.state != CAOpen && u.frto != frtoWait {
		u.frto = frtoOff
	} else {
		u.frto = frtoWait
	}
}

// tryUndo undoes the recovery if an ACK shows that it was spurious, and reports whether it did.
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
		r.undo.armed = c.cc.state != CAOpen || !f.advanced || c.snd.una.Less(r.undo.until)
		return false
	}
	c.trace(now, Event{Kind: RecoveryUndone, Why: rule})
	if rule != "D-SACK" || c.cc.state == CALoss { // D-SACKs prove nothing about lost data that was not retransmitted
		c.snd.board.unmarkLost()
	}
	c.snd.dupAcks = 0
	c.rack.restore(&r.undo)
	c.cc.undo(c)
	return true
}

// undo restores cwnd, ssthresh and the state of the algorithm from before the recovery.
func (g *congestion) undo(c *Conn) {
	u := &g.repair.undo
	g.cwnd, g.ssthresh = max(g.cwnd, u.cwnd), max(g.ssthresh, u.ssthresh)
	g.algorithm.undo(c)
	g.state, g.recover = CAOpen, c.snd.una
	u.armed, u.frto = false, frtoOff
}

// holding reports whether F-RTO sends new data and no lost data.
func (g *congestion) holding() bool { return g.repair != nil && g.repair.undo.frto == frtoNew }

// cannotUndo makes the recovery final.
func (g *congestion) cannotUndo() {
	if g.repair != nil {
		g.repair.undo.armed, g.repair.undo.frto = false, frtoOff
	}
}

// restore undoes the deliveries of a spurious recovery, because RACK may have taken first copies for retransmissions. After a spurious fast
// retransmit the path reorders segments, so RACK waits for late ones from now on.
func (r *rack) restore(u *undo) {
	if r.rackMark = u.rack; !u.timeout {
		r.reordered = true
	}
}

// unmarkLost makes the lost flights waiting again, except those that were retransmitted before.
func (b *scoreboard) unmarkLost() {
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
