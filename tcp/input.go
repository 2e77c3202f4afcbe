package tcp

import (
	"syscall"
	"time"
)

// pendingReset is a RST that the next Output sends.
type pendingReset struct {
	pending  bool
	flags    Flags
	seq, ack Seq
}

// Input takes a segment that arrived for this connection (RFC 9293 section 3.10.7). Its checksum has been verified.
// s is not kept, but its Buffer may be taken over to queue the payload. The following Outputs send the answers.
func (c *Conn) Input(now time.Duration, s *Segment) {
	c.counts.segsIn++
	c.traceSegment(now, Event{Kind: SegmentIn}, s)
	defer c.traceChanges(now)
	switch {
	case c.state == Closed:
		c.drop(now, s, &c.cfg.Stats.DropNoConnection, nil)
	case c.state == SynSent:
		c.inputSynSent(now, s)
	default:
		c.inputSynchronized(now, s)
	}
}

// inputSynSent is RFC 9293 section 3.10.7.3.
func (c *Conn) inputSynSent(now time.Duration, s *Segment) {
	acceptable := s.Flags.Has(ACK) && c.snd.iss.Less(s.Ack) && s.Ack.LessEq(c.snd.nxt)
	switch {
	case s.Flags.Has(ACK) && !acceptable: // first
		c.drop(now, s, &c.cfg.Stats.DropSynSent, ackOfOurSyn)
		if !s.Flags.Has(RST) {
			c.reset = pendingReset{pending: true, flags: RST, seq: s.Ack}
		}
	case s.Flags.Has(RST): // second
		if !acceptable {
			c.drop(now, s, &c.cfg.Stats.DropSynSent, nil)
			return
		}
		c.cfg.Stats.ResetsIn.Inc()
		c.fail(now, syscall.ECONNREFUSED)
	case !s.Flags.Has(SYN): // fifth
		c.drop(now, s, &c.cfg.Stats.DropSynSent, nil)
	default: // fourth
		c.learnSyn(now, s)
		c.rcv.lastAt = now
		if !acceptable { // simultaneous open
			c.snd.board.markAllLost() // the SYN goes out again, now with an ACK
			c.setState(now, SynReceived)
			c.holdText(s.withoutSyn())
			return
		}
		c.acknowledge(now, s)
		c.setState(now, Established)
		c.established(now)
		c.ack.now = true
		c.receiveData(now, s.withoutSyn())
		c.receiveFin(now, s.withoutSyn())
	}
}

// withoutSyn is the part of a SYN segment that follows the SYN.
func (s *Segment) withoutSyn() *Segment {
	t := *s
	t.Flags &^= SYN
	t.Seq++
	t.Buffer = nil
	return &t
}

// inputSynchronized is RFC 9293 section 3.10.7.4, step by step, for SYN-RECEIVED and all later states.
func (c *Conn) inputSynchronized(now time.Duration, s *Segment) {
	if c.state == SynReceived && s.Flags.Has(SYN|ACK) && s.Seq == c.rcv.irs {
		s = s.withoutSyn() // a simultaneous open: its SYN is known, its ACK is not (section 3.5, figure 7)
	}
	if !c.checkTimestamp(now, s) || !c.checkSequence(now, s) { // first
		return
	}
	if s.Flags.Has(RST) { // second
		c.inputReset(now, s)
		return
	}
	if s.Flags.Has(SYN) { // fourth; the third, security compartments, is obsolete
		c.challengeSyn(now, s)
		return
	}
	if !s.Flags.Has(ACK) { // fifth
		c.drop(now, s, &c.cfg.Stats.DropNoAck, nil)
		return
	}
	was := c.state
	if !c.inputAck(now, s) {
		return
	}
	c.noteTimestamp(now, s)
	c.peerAlive(now)
	c.ecn.received(c, s)
	switch {
	case was == TimeWait:
		c.inputTimeWait(now, s)
	case c.receiving(): // sixth to eighth
		c.receiveUrgent(s)
		if c.refuseData(now, s) {
			return
		}
		if s.DataLen() > 0 {
			c.receiveData(now, s)
		}
		c.receiveFin(now, s)
	}
}

// receiving reports whether the state is one in which text and FIN are taken.
func (c *Conn) receiving() bool {
	return c.state == Established || c.state == FinWait1 || c.state == FinWait2
}

// peerAlive notes that a segment of the peer was accepted. As long as the peer answers window probes the connection stays, however
// long the window is closed (RFC 9293 section 3.8.6.1, MUST-37). This holds only while a user owns the connection: an orphan would
// let the peer tie up memory (RFC 6429 section 3).
func (c *Conn) peerAlive(now time.Duration) {
	c.rcv.lastAt = now
	if c.timers.keepAlivesUnanswered > 0 {
		c.timers.armKeepAlive(now, c.params.Effective(c.cfg))
	}
	if c.snd.wnd == 0 && !c.orphan {
		c.snd.retries = 0
	}
}

// refuseData resets a connection whose user will not read new text, because it has closed the socket or shut down both directions
// (RFC 9293 section 3.6.1, RFC 2525 section 2.16). As on Linux, the sequence number of the RST is SEG.ACK, which the peer accepts.
func (c *Conn) refuseData(now time.Duration, s *Segment) bool {
	unread := c.orphan || c.rcv.shut && c.snd.closed
	if !unread || s.DataLen() == 0 || s.Seq.Add(s.DataLen()).LessEq(c.rcv.nxt) {
		return false
	}
	c.reset = pendingReset{pending: true, flags: RST, seq: s.Ack}
	c.fail(now, syscall.ECONNRESET)
	return true
}

// inputTimeWait answers an acceptable segment in TIME-WAIT and restarts the 2 MSL timer (RFC 9293 section 3.10.7.4, fifth). An empty
// segment at RCV.NXT gets no answer, because it may itself answer our ACK: two ends would exchange ACKs without end.
func (c *Conn) inputTimeWait(now time.Duration, s *Segment) {
	if s.Len() == 0 && s.Seq == c.rcv.nxt {
		return
	}
	c.ack.now = true
	c.timers.linger = now + 2*c.cfg.MSL
}

// checkTimestamp is PAWS (RFC 7323 section 5.3). A segment without a timestamp is taken although the connection uses them, as on
// Linux: keep-alive probes of Windows have none, and dropping them (section 3.2, a SHOULD) lets the peer reset an idle connection.
func (c *Conn) checkTimestamp(now time.Duration, s *Segment) bool {
	const lifetime = 24 * 24 * time.Hour // of TS.Recent (section 5.5)
	r := &c.rcv
	if !c.tsOK || !s.Options.HasTS || s.Flags.Has(RST) || int32(s.Options.TSVal-r.tsRecent) >= 0 || now-r.tsRecentAt >= lifetime {
		return true
	}
	c.drop(now, s, &c.cfg.Stats.DropPAWS, oldTimestamp)
	c.challenge(now)
	return false
}

// noteTimestamp keeps TS.Recent up to date (RFC 7323 section 4.3). A segment whose sequence or acknowledgment number is guessed
// does not come here: it could make all that the peer sends look old. A duplicate that ends at RCV.NXT does, as in Linux: the echo
// tells a peer whose ACKs were lost that its last copy has arrived, and so how long a round trip is.
func (c *Conn) noteTimestamp(now time.Duration, s *Segment) {
	if r := &c.rcv; c.tsOK && s.Options.HasTS && s.Seq.LessEq(r.lastAck) && r.lastAck.LessEq(s.End()) {
		r.tsRecent, r.tsRecentAt = s.Options.TSVal, now
	}
}

// checkSequence is the first step. It returns true for a segment that goes on. Any other is answered, and counted once: as a
// duplicate, or as a drop.
func (c *Conn) checkSequence(now time.Duration, s *Segment) bool {
	switch {
	case c.acceptable(s), c.atRightEdge(s):
		if c.rcv.wnd() == 0 && s.DataLen() > 0 && !s.Flags.Has(RST) {
			c.ack.now = true // a window probe
		}
		return true
	case s.Flags.Has(RST):
		c.drop(now, s, &c.cfg.Stats.DropSequence, notInWindow)
	case s.Flags.Has(SYN) && c.state == SynReceived && s.Seq == c.rcv.irs:
		c.answerRetransmittedSyn(now, s)
	case s.Flags.Has(SYN):
		c.drop(now, s, &c.cfg.Stats.DropSyn, notInWindow)
		c.challenge(now)
	case c.duplicate(s):
		c.inputDuplicate(now, s)
	default:
		c.drop(now, s, &c.cfg.Stats.DropSequence, notInWindow)
		c.challenge(now)
	}
	return false
}

// acceptable is the test of RFC 9293 section 3.10.7.4, first: does any of the segment lie in the window?
func (c *Conn) acceptable(s *Segment) bool {
	r := &c.rcv
	n := s.Len()
	inWindow := func(q Seq) bool { return r.nxt.LessEq(q) && q.Less(r.edge) }
	switch {
	case n == 0 && r.wnd() == 0:
		return s.Seq == r.nxt
	case n == 0:
		return inWindow(s.Seq)
	case r.wnd() == 0:
		return false
	default:
		spans := uint32(r.nxt-s.Seq) < uint32(n) // RCV.NXT lies in it; comparing its end with the far edge could wrap
		return inWindow(s.Seq) || inWindow(s.End()-1) || spans
	}
}

// atRightEdge reports whether a segment at the right edge of the window is processed. With a closed window it is, for its RST, ACK and
// URG, without its text (section 3.4, MUST-66). With an open window an empty segment is, as on Linux: a peer that has filled the
// window has SND.NXT there.
func (c *Conn) atRightEdge(s *Segment) bool {
	return s.Seq == c.rcv.edge && !s.Flags.Has(SYN) && (c.rcv.wnd() == 0 || s.Len() == 0 && !s.Flags.Has(RST))
}

// duplicate reports whether all of the segment was received before: text or a FIN that ends at or before RCV.NXT and begins at most
// one window to the left. An empty segment is never one: answering each could make two ends exchange ACKs without end.
func (c *Conn) duplicate(s *Segment) bool {
	r := &c.rcv
	return s.Len() > 0 && s.End().LessEq(r.nxt) && r.nxt.Sub(s.Seq) <= c.rcvLimit()
}

// inputDuplicate answers a duplicate at once: the peer has lost an ACK, or retransmits too early. The acknowledgment in it is taken,
// because where only retransmissions get through it is the only one. In TIME-WAIT the peer's FIN restarts the 2 MSL timer.
func (c *Conn) inputDuplicate(now time.Duration, s *Segment) {
	c.noteDuplicate(now, s)
	if s.DataLen() > 0 {
		c.reportDuplicate(Range{s.Seq, s.Seq.Add(s.DataLen())})
	}
	c.ack.now = true
	c.probeAcked(s.Ack)
	if c.ackAcceptable(s) {
		c.noteTimestamp(now, s)
	}
	if c.state == TimeWait && s.Flags.Has(FIN) && s.End() == c.rcv.nxt {
		c.timers.linger = now + 2*c.cfg.MSL
	}
	if s.Flags.Has(ACK) && c.state != SynReceived && c.snd.una.Less(s.Ack) && s.Ack.LessEq(c.snd.nxt) {
		c.inputAck(now, s)
	}
}

// answerRetransmittedSyn sends our SYN,ACK again, which the peer has not received: an ACK alone would not help it. The peer's new timestamp is
// echoed, because that of the first SYN would make it measure too long a round trip.
func (c *Conn) answerRetransmittedSyn(now time.Duration, s *Segment) {
	c.noteDuplicate(now, s)
	c.snd.board.markAllLost()
	c.noteTimestamp(now, s)
}

// inputReset: only a RST exactly at RCV.NXT counts (RFC 5961 section 3.2).
func (c *Conn) inputReset(now time.Duration, s *Segment) {
	if c.state == TimeWait { // RFC 1337
		c.drop(now, s, &c.cfg.Stats.DropReset, nil)
		return
	}
	if s.Seq != c.rcv.nxt {
		c.drop(now, s, &c.cfg.Stats.DropReset, notAtRcvNxt)
		c.challenge(now)
		return
	}
	c.cfg.Stats.ResetsIn.Inc()
	switch c.state {
	case SynReceived:
		c.fail(now, syscall.ECONNREFUSED)
	case CloseWait:
		c.fail(now, syscall.EPIPE)
	default:
		c.fail(now, syscall.ECONNRESET)
	}
}

// challengeSyn: a SYN on a live connection draws a challenge ACK (RFC 5961 section 4.2); one in the window of a half-open
// passive connection ends that, and the peer's next SYN finds the listener (RFC 9293 section 3.10.7.4, fourth).
func (c *Conn) challengeSyn(now time.Duration, s *Segment) {
	c.drop(now, s, &c.cfg.Stats.DropSyn, nil)
	if c.state == SynReceived && c.passive {
		c.fail(now, syscall.ECONNRESET)
		return
	}
	c.challenge(now)
}

// challenge sends an ACK that an honest peer answers and a blind attacker cannot use. It answers every unacceptable segment but a
// duplicate, also text and FIN, which Linux answers without limit. Each connection has its own allowance, so the rate tells nothing about others
// (RFC 5961 section 7, CVE-2016-5696).
func (c *Conn) challenge(now time.Duration) {
	a := &c.ack
	if now-a.challengeAt >= time.Second || a.challenges == 0 {
		a.challengeAt, a.challenges = now, 0
	}
	if a.challenges >= maxChallenges {
		return
	}
	a.challenges++
	c.cfg.Stats.ChallengeAcks.Inc()
	a.now = true
}

const maxChallenges = 10 // in a second
