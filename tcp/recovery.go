package tcp

import "time"

// Loss recovery. With SACK, RACK (RFC 8985) decides by time what is lost; without, NewReno (RFC 6582) by duplicate
// acknowledgments. Either way lost flights are marked on the scoreboard and Output sends them again as the window allows.

// dupThresh is the number of duplicate acknowledgments, or segments reported above a hole, that mean a loss.
const dupThresh = 3

// rack is what RFC 8985 section 5.2 keeps of the delivered flight that was sent last.
type rack struct {
	rackMark
	highest   Seq // highest sequence number acknowledged or SACKed
	reordered bool
	duplicate bool  // the acknowledgment at hand carries a D-SACK
	steps     uint8 // extra quarters of min RTT in the reordering window, from D-SACK
	persist   uint8 // for so many recoveries without another
	roundEnd  Seq   // steps grows at most once until this is acknowledged
}

// rackMark is which flight that is, and how long it took.
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
	if d.latest.retrans && rtt < min { // most likely the acknowledgment of the original
		return
	}
	if d.latest.sent > r.xmit || d.latest.sent == r.xmit && r.end.Less(d.latest.End) {
		r.xmit, r.end = d.latest.sent, d.latest.End
	}
	if !r.duplicate || r.rtt == 0 { // a needless copy has drawn this: what it covers may have arrived long before
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

// rackPersist is how many recoveries a wider reordering window lasts (RFC 8985 section 6.2, step 4).
const rackPersist = 16

// recovered counts a recovery that has ended.
func (r *rack) recovered() {
	if r.persist > 0 {
		r.persist--
	}
	if r.persist == 0 {
		r.steps = 0
	}
}

// inputSacks takes the SACK blocks of an acknowledgment.
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

// reportsDuplicate says whether the first SACK block is a D-SACK: it lies at or below what the segment acknowledges, which
// SND.UNA may have passed since it was sent, or within the second (RFC 2883 section 4).
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

// duplicated widens RACK's reordering window by a D-SACK, once in a round trip (RFC 8985 section 6.2, step 4).
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

// countDuplicate counts duplicate acknowledgments as RFC 5681 section 2 defines them, and returns how many bytes an acknowledgment shows
// to have left the network (DeliveredData of RFC 9937 section 6). Without SACK a duplicate stands for one segment. When SND.UNA moves, the
// first segment fills the hole, and each of the others takes the place of a duplicate.
func (c *Conn) countDuplicate(s *Segment, advanced, wasWnd int, d *delivery) (delivered int) {
	snd := &c.snd
	switch {
	case c.sackOK:
		return d.octets
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

// recover draws the conclusions of an acknowledgment.
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

// detectLoss marks what must be lost by now and enters recovery for it.
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

// detectByTime is RFC 8985 section 6.2, step 5. It returns when to look again; 0: no need.
func (c *Conn) detectByTime(now time.Duration) time.Duration {
	b := &c.snd.board
	if b.sacked == 0 && c.cc.state == CAOpen { // nothing was delivered out of order
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

// detectByDuplicates is fast retransmit (RFC 5681 section 3.2), and in recovery the partial acknowledgment that
// uncovers the next hole (RFC 6582 section 3.2).
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

// lose takes f for lost.
func (c *Conn) lose(now time.Duration, f *flight) {
	c.snd.board.markLost(f)
	c.cc.algorithm.lost(now, c, f)
}

// keepsTimer says that a partial acknowledgment, which has moved SND.UNA on from una, leaves the retransmission timer alone: without
// SACK only the first one restarts it, so that many losses do not take a round trip each (RFC 6582 section 3.2, step 3).
func (c *Conn) keepsTimer(una Seq) bool {
	return !c.sackOK && c.cc.state == CARecovery && una.Add(c.cc.repair.prr.recoverFS) != c.cc.recover
}

// pipe is the number of bytes in the network (RFC 6675 section 4).
func (snd *sender) pipe() int {
	left := min(snd.dupAcks*snd.mss, snd.nxt.Sub(snd.una)-snd.board.lost)
	return snd.nxt.Sub(snd.una) - snd.board.sacked - snd.board.lost - left
}
