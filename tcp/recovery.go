package tcp

import "time"

// Loss detection. With SACK, RACK (RFC 8985) detects losses by time; without SACK, NewReno (RFC 6582) detects them by duplicate ACKs. Both only
// mark lost flights on the scoreboard; Output retransmits them as the windows allow.

// dupThresh is the number of duplicate ACKs, or of segments SACKed above a hole, that show a loss (RFC 5681 section 3.2).
const dupThresh = 3

// rack is the state of RACK (RFC 8985 section 5.2).
type rack struct {
	rackMark
	highest   Seq   // RACK.fack: the highest sequence number acknowledged or SACKed
	reordered bool  // RACK.reordering_seen
	duplicate bool  // the ACK being processed carries a D-SACK
	steps     uint8 // RACK.reo_wnd_mult - 1: quarters of the minimum RTT that D-SACKs have added to the reordering window
	persist   uint8 // RACK.reo_wnd_persist: recoveries without a D-SACK after which steps becomes 0
	roundEnd  Seq   // RACK.dsack_round: steps grows again once this is acknowledged
}

// rackMark describes the delivered flight that was sent last: RACK.xmit_ts, RACK.rtt and RACK.end_seq.
type rackMark struct {
	xmit, rtt time.Duration
	end       Seq
}

// update takes a delivery (RFC 8985 section 6.2, steps 1 to 3).
func (r *rack) update(now time.Duration, d *delivery, min time.Duration) {
	if !d.any {
		return
	}
	r.reordered = r.reordered || d.reordered
	rtt := now - d.latest.sent
	if d.latest.retrans && rtt < min { // the ACK is most likely for the first copy
		return
	}
	if d.latest.sent > r.xmit || d.latest.sent == r.xmit && r.end.Less(d.latest.End) {
		r.xmit, r.end = d.latest.sent, d.latest.End
	}
	if !r.duplicate || r.rtt == 0 { // a duplicate draws an ACK that may cover flights long after their arrival
		r.rtt = rtt
	}
}

// window is the reordering window (RFC 8985 section 6.2, step 4).
func (r *rack) window(c *Conn) time.Duration {
	if !r.reordered && (c.cc.state != CAOpen || c.snd.board.sacked >= dupThresh*c.snd.mss) {
		return 0
	}
	return min(time.Duration(1+r.steps)*c.rtt.min/4, c.rtt.srtt)
}

// rackPersist is the number of recoveries without a D-SACK for which a wider reordering window lasts (RFC 8985 section 6.2, step 4).
const rackPersist = 16

// recovered counts the end of a recovery.
func (r *rack) recovered() {
	if r.persist > 0 {
		r.persist--
	}
	if r.persist == 0 {
		r.steps = 0
	}
}

// inputSacks takes the SACK blocks of an ACK.
func (c *Conn) inputSacks(s *Segment, highest Seq, d *delivery) {
	blocks := s.Options.Sack[:s.Options.SackCount]
	if s.reportsDuplicate() {
		c.duplicated(blocks[0])
		blocks = blocks[1:]
	}
	for _, w := range blocks {
		if w.Start = maxSeq(w.Start, c.snd.una); w.Start.Less(w.End) && w.End.LessEq(c.snd.nxt) {
			c.snd.board.sack(w, highest, d)
			c.rack.highest = maxSeq(c.rack.highest, w.End)
		}
	}
}

// reportsDuplicate reports whether the first SACK block is a D-SACK: it ends at or before SEG.ACK, or lies within the second block (RFC 2883
// section 4). SND.UNA is not compared, because it may have passed SEG.ACK of a segment that the network has delayed.
func (s *Segment) reportsDuplicate() bool {
	b := &s.Options.Sack
	switch {
	case s.Options.SackCount == 0:
		return false
	case b[0].End.LessEq(s.Ack):
		return true
	}
	return s.Options.SackCount > 1 && b[1].Start.LessEq(b[0].Start) && b[0].End.LessEq(b[1].End)
}

// duplicated takes a D-SACK. It widens RACK's reordering window, once in a round trip (RFC 8985 section 6.2, step 4).
func (c *Conn) duplicated(w Range) {
	if !w.Start.Less(w.End) || c.snd.nxt.Less(w.End) {
		return
	}
	r := &c.rack
	r.duplicate = true
	if rep := c.cc.repair; rep != nil && rep.undo.armed {
		rep.undo.duplicated(w)
	}
	if r.roundEnd.LessEq(c.snd.una) && r.steps < 16 {
		r.steps++
		r.persist = rackPersist
		r.roundEnd = c.snd.nxt
	}
}

// countDuplicate counts duplicate ACKs as RFC 5681 section 2 defines them. It returns the number of bytes that an ACK shows to have left the
// network (DeliveredData of RFC 9937 section 6). Without SACK a duplicate ACK shows the delivery of one segment. If SND.UNA then advances, the
// first segment fills the hole, and the others were counted by their duplicate ACKs before.
func (c *Conn) countDuplicate(s *Segment, advanced, wasWnd int, d *delivery) (delivered int) {
	snd := &c.snd
	switch {
	case c.sackOK:
		return d.bytes
	case advanced > 0:
		left := max(snd.dupAcks-(advanced-1)/snd.mss, 0)
		delivered = max(advanced-(snd.dupAcks-left)*snd.mss, min(advanced, snd.mss))
		if snd.dupAcks = left; c.cc.state == CAOpen {
			snd.dupAcks = 0
		}
	case s.Len() == 0 && s.Ack == snd.una && snd.wnd == wasWnd && snd.una != snd.nxt:
		snd.dupAcks++
		delivered = snd.mss
	}
	return delivered
}

// recover runs the undo of a spurious recovery, the end of recovery, loss detection and congestion control for an ACK.
func (c *Conn) recover(now time.Duration, s *Segment, f feedback) {
	if undone := c.tryUndo(now, s, &f); !undone || !f.latest.retrans {
		c.rack.update(now, &f.delivery, c.rtt.min)
	}
	f.limited = f.limited || c.cc.state == CALoss
	if c.cc.state != CAOpen && c.cc.recover.LessEq(c.snd.una) {
		c.cc.leave(c)
		c.snd.dupAcks = 0
		c.rack.recovered()
	}
	wasLost := c.snd.board.lost
	c.detectLoss(now)
	f.good = f.advanced && c.snd.board.lost <= wasLost
	c.cc.algorithm.acked(now, c, f)
}

// detectLoss marks lost flights and begins recovery at the first.
func (c *Conn) detectLoss(now time.Duration) {
	was, rule := c.snd.board.lost, "RACK"
	if c.sackOK {
		c.timers.reorder = c.detectByTime(now)
	} else {
		rule = "duplicate ACKs"
		c.detectByDuplicates(now)
	}
	if n := c.snd.board.lost - was; n > 0 {
		c.trace(now, Event{Kind: LossDetected, Bytes: n, Why: rule})
	}
	if c.snd.board.lost > 0 && c.cc.state == CAOpen {
		c.cfg.Stats.FastRecoveries.Inc()
		c.cc.enter(c)
	}
}

// detectByTime is RFC 8985 section 6.2, step 5. It returns the time at which the next flight is lost unless an ACK arrives; 0: none.
func (c *Conn) detectByTime(now time.Duration) time.Duration {
	b := &c.snd.board
	if b.sacked == 0 && c.cc.state == CAOpen { // all deliveries were in order
		return 0
	}
	wait := c.rack.rtt + c.rack.window(c)
	for f := b.oldest(); f != nil && f.before(c.rack.xmit, c.rack.end); f = b.oldest() {
		if at := f.sent + wait; at > now {
			return at
		}
		c.lose(now, f)
	}
	return 0
}

// detectByDuplicates marks the first segment as lost after three duplicate ACKs (fast retransmit, RFC 5681 section 3.2), and in recovery after a
// partial ACK, which shows the next hole (RFC 6582 section 3.2).
func (c *Conn) detectByDuplicates(now time.Duration) {
	b := &c.snd.board
	if b.empty() || b.lost > 0 {
		return
	}
	first := b.front()
	fresh := c.cc.state == CAOpen && c.snd.dupAcks >= dupThresh && c.cc.recover.LessEq(c.snd.una)
	partial := c.cc.state == CARecovery && first.Start == c.snd.una && !first.retrans
	if fresh || partial {
		if first.Len() > c.snd.mss {
			b.split(b.first(), first.Start.Add(c.snd.mss))
		}
		c.lose(now, b.front())
	}
}

// lose marks f as lost and tells congestion control.
func (c *Conn) lose(now time.Duration, f *flight) {
	c.snd.board.markLost(f)
	c.cc.algorithm.lost(now, c, f)
}

// keepsTimer reports whether a partial ACK, which has advanced SND.UNA from una, must not restart the retransmission timer. Without SACK, NewReno's
// impatient variant restarts it only for the first partial ACK, so that the timer repairs many losses at once instead of one per round trip
// (RFC 6582 section 3.2, step 3, and section 4).
func (c *Conn) keepsTimer(una Seq) bool {
	return !c.sackOK && c.cc.state == CARecovery && una.Add(c.cc.repair.prr.recoverFS) != c.cc.recover
}

// pipe is the number of bytes in the network (RFC 6675 section 4). Without SACK each duplicate ACK takes a segment off.
func (snd *sender) pipe() int {
	left := min(snd.dupAcks*snd.mss, snd.nxt.Sub(snd.una)-snd.board.lost) // left the network
	return snd.nxt.Sub(snd.una) - snd.board.sacked - snd.board.lost - left
}
