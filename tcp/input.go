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

// Input processes a segment for this connection (RFC 9293 section 3.10.7). The caller has verified its checksum and found the connection by its
// addresses and ports. Input never sends: the answers, RST included, come from the following Outputs. It discards unacceptable segments and
// bytes outside the window; a discarded segment is counted once, as a duplicate or under a reason for drops.
//
// The caller keeps s and its payload, which Input reads only during the call. To queue the payload without a copy, Input may take over
// s.Buffer: then it sets s.Buffer to nil, and otherwise the caller still owns it.
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
			c.snd.board.markAllLost() // retransmit sends the SYN again, now with an ACK
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

// withoutSyn returns the part of a SYN segment after the SYN. It has no Buffer, so that the payload is copied.
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
		s = s.withoutSyn() // a simultaneous open: its SYN arrived before, its ACK did not (section 3.5, figure 7)
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

// receiving reports whether the state is one in which the connection accepts data and a FIN.
func (c *Conn) receiving() bool {
	return c.state == Established || c.state == FinWait1 || c.state == FinWait2
}

// peerAlive notes that a segment of the peer was accepted. A connection lasts as long as the peer answers window probes (RFC 9293
// section 3.8.6.1, MUST-37), unless it is an orphan, by which the peer could tie up memory (RFC 6429 section 3).
func (c *Conn) peerAlive(now time.Duration) {
	c.rcv.lastAt = now
	if c.timers.keepAlivesUnanswered > 0 {
		c.timers.armKeepAlive(now, c.params.Effective(c.cfg))
	}
	if c.snd.wnd == 0 && !c.orphan {
		c.snd.retries = 0
	}
}

// refuseData resets a connection whose user will not read new data, because it has closed the socket or shut down both directions
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
// segment at RCV.NXT gets no answer, because it may itself answer our ACK, and two ends would exchange ACKs forever.
func (c *Conn) inputTimeWait(now time.Duration, s *Segment) {
	if s.Len() == 0 && s.Seq == c.rcv.nxt {
		return
	}
	c.ack.now = true
	c.timers.linger = now + 2*c.cfg.MSL
}

// checkTimestamp is PAWS (RFC 7323 section 5.3). As on Linux, it accepts a segment without a timestamp even if the connection uses timestamps:
// Windows sends keep-alive probes without them, and resets an idle connection if we drop these (section 3.2, a SHOULD).
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

// noteTimestamp updates TS.Recent (RFC 7323 section 4.3). The caller has checked sequence and acknowledgment number, or an attacker could set
// TS.Recent so that PAWS drops all segments of the peer. As in Linux, a duplicate that ends at RCV.NXT updates it, too: a peer whose ACKs were
// lost gets an RTT sample of its last copy.
func (c *Conn) noteTimestamp(now time.Duration, s *Segment) {
	if r := &c.rcv; c.tsOK && s.Options.HasTS && s.Seq.LessEq(r.lastAck) && r.lastAck.LessEq(s.End()) {
		r.tsRecent, r.tsRecentAt = s.Options.TSVal, now
	}
}

// checkSequence is the first step of RFC 9293 section 3.10.7.4. It returns true for an acceptable segment. It answers any other and counts it
// once, as a duplicate or as a drop.
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

// acceptable reports whether a part of the segment lies in the window (RFC 9293 section 3.10.7.4, first).
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
		spans := uint32(r.nxt-s.Seq) < uint32(n) // the segment contains RCV.NXT; comparing its end with the right edge could wrap
		return inWindow(s.Seq) || inWindow(s.End()-1) || spans
	}
}

// atRightEdge reports whether a segment starts at the right edge and is processed nevertheless. With a closed window it is processed for RST, ACK
// and URG, without its data (section 3.4, MUST-66). With an open window, as on Linux, an empty segment is processed: a peer that has filled
// the window has SND.NXT there.
func (c *Conn) atRightEdge(s *Segment) bool {
	return s.Seq == c.rcv.edge && !s.Flags.Has(SYN) && (c.rcv.wnd() == 0 || s.Len() == 0 && !s.Flags.Has(RST))
}

// duplicate reports whether all of the segment was received before: it carries data or a FIN, ends at or before RCV.NXT, and begins at most one
// receive buffer before. An empty segment is not a duplicate, because two ends that answer each could exchange ACKs forever.
func (c *Conn) duplicate(s *Segment) bool {
	r := &c.rcv
	return s.Len() > 0 && s.End().LessEq(r.nxt) && r.nxt.Sub(s.Seq) <= c.rcvLimit()
}

// inputDuplicate acknowledges a duplicate at once, because an ACK was lost or the peer retransmits too early. It takes the ACK in it: on a path on
// which only retransmissions arrive there is no other. In TIME-WAIT the peer's FIN restarts the 2 MSL timer.
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

// answerRetransmittedSyn sends our SYN,ACK again, because the peer has not received it and needs our SYN. It echoes the timestamp of the new SYN:
// that of the first would give the peer too large an RTT sample.
func (c *Conn) answerRetransmittedSyn(now time.Duration, s *Segment) {
	c.noteDuplicate(now, s)
	c.snd.board.markAllLost()
	c.noteTimestamp(now, s)
}

// inputReset takes a RST, which ends the connection only if it is exactly at RCV.NXT (RFC 5961 section 3.2).
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

// challengeSyn takes a SYN within the window. It answers with a challenge ACK (RFC 5961 section 4.2). A half-open passive connection ends instead,
// so that the peer's next SYN reaches the listener (RFC 9293 section 3.10.7.4, fourth).
func (c *Conn) challengeSyn(now time.Duration, s *Segment) {
	c.drop(now, s, &c.cfg.Stats.DropSyn, nil)
	if c.state == SynReceived && c.passive {
		c.fail(now, syscall.ECONNRESET)
		return
	}
	c.challenge(now)
}

// challenge sends a challenge ACK. An honest peer whose connection has ended replies with a RST at RCV.NXT; a blind attacker does not see the ACK.
// It answers all unacceptable segments but duplicates, at most maxChallenges per second; Linux does not limit the answers to data and FIN. Each
// connection has a limit of its own: a common one would let an attacker count the challenge ACKs of other connections (RFC 5961 section 7,
// CVE-2016-5696).
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
