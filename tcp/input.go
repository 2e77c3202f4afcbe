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
// s is not kept, but its Buffer is taken over where its octets can wait in it. What it calls for is sent by the following Outputs.
func (c *Conn) Input(now time.Duration, s *Segment) {
	c.counts.segsIn++
	c.traceSegment(now, Event{Kind: SegmentIn}, s)
	defer c.traceChanges(now)
	switch {
	case c.state == Closed:
		c.drop(now, s, &c.cfg.Stats.DropNoConnection)
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
		c.drop(now, s, &c.cfg.Stats.DropSynSent)
		if !s.Flags.Has(RST) {
			c.reset = pendingReset{pending: true, flags: RST, seq: s.Ack}
		}
	case s.Flags.Has(RST): // second
		if !acceptable {
			c.drop(now, s, &c.cfg.Stats.DropSynSent)
			return
		}
		c.cfg.Stats.ResetsIn.Inc()
		c.fail(now, syscall.ECONNREFUSED)
	case !s.Flags.Has(SYN): // fifth
		c.drop(now, s, &c.cfg.Stats.DropSynSent)
	default: // fourth
		c.learnSyn(now, s)
		c.rcv.lastAt = now
		if !acceptable { // simultaneous open
			c.snd.board.markAllLost() // the SYN goes out again, now with an ACK
			c.setState(now, SynReceived)
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
		c.inputSyn(now, s)
		return
	}
	if !s.Flags.Has(ACK) { // fifth
		c.drop(now, s, &c.cfg.Stats.DropNoAck)
		return
	}
	if !c.inputAck(now, s) {
		return
	}
	c.noteTimestamp(now, s)
	c.heard(now)
	c.ecn.received(c, s)
	if c.state == Established || c.state == FinWait1 || c.state == FinWait2 { // sixth and seventh
		c.receiveUrgent(s)
		if s.DataLen() > 0 {
			if c.refuseData(now, s) {
				return
			}
			c.receiveData(now, s)
		}
		c.receiveFin(now, s) // eighth
	}
}

// heard notes that the peer is alive. As long as it answers window probes the connection stays, however long its
// window is closed (RFC 9293 section 3.8.6.1, MUST-37) and somebody owns it: without, it is a way to tie up memory
// (RFC 6429 section 3).
func (c *Conn) heard(now time.Duration) {
	c.rcv.lastAt = now
	if c.timers.probes > 0 {
		c.timers.armKeepAlive(now, c.params.Effective(c.cfg))
	}
	if c.snd.wnd == 0 && !c.orphan {
		c.snd.retries = 0
	}
}

// refuseData resets a connection whose user is gone and will not read (RFC 9293 section 3.6.1, RFC 2525 section 2.16).
func (c *Conn) refuseData(now time.Duration, s *Segment) bool {
	if !c.orphan || s.Seq.Add(s.DataLen()).LessEq(c.rcv.nxt) {
		return false
	}
	c.reset = pendingReset{pending: true, flags: RST | ACK, seq: c.snd.nxt, ack: c.rcv.nxt}
	c.fail(now, syscall.ECONNRESET)
	return true
}

// checkTimestamp is PAWS (RFC 7323 sections 3.2 and 5.3).
func (c *Conn) checkTimestamp(now time.Duration, s *Segment) bool {
	if !c.tsOK || s.Flags.Has(RST) {
		return true
	}
	r := &c.rcv
	if !s.Options.HasTS {
		c.drop(now, s, &c.cfg.Stats.DropNoTimestamp)
		return false
	}
	const lifetime = 24 * 24 * time.Hour // of TS.Recent (section 5.5)
	if int32(s.Options.TSVal-r.tsRecent) < 0 && now-r.tsRecentAt < lifetime {
		c.drop(now, s, &c.cfg.Stats.DropPAWS)
		c.challenge(now)
		return false
	}
	return true
}

// noteTimestamp keeps TS.Recent up to date (RFC 7323 section 4.3). A segment whose sequence or acknowledgment number is guessed
// does not come here: it could make all that the peer sends look old.
func (c *Conn) noteTimestamp(now time.Duration, s *Segment) {
	if r := &c.rcv; c.tsOK && s.Seq.LessEq(r.lastAck) && r.lastAck.LessEq(s.End()) {
		r.tsRecent, r.tsRecentAt = s.Options.TSVal, now
	}
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

func (c *Conn) checkSequence(now time.Duration, s *Segment) bool {
	if c.acceptable(s) {
		return true
	}
	// With a closed window, RST, ACK and URG at its edge still count (section 3.4, MUST-66); the data does not. So does with an open one
	// what carries nothing: that is where SND.NXT of a peer is who has used it up. Linux takes that, too.
	if s.Seq == c.rcv.edge && !s.Flags.Has(SYN) && (c.rcv.wnd() == 0 || s.Len() == 0 && !s.Flags.Has(RST)) {
		if s.DataLen() > 0 && !s.Flags.Has(RST) {
			c.ack.now = true
		}
		return true
	}
	c.drop(now, s, &c.cfg.Stats.DropSequence)
	if s.Flags.Has(RST) {
		return false
	}
	switch {
	case c.state == SynReceived && s.Flags.Has(SYN) && s.Seq == c.rcv.irs:
		c.snd.board.markAllLost() // our SYN,ACK was lost: an ACK alone would not help the peer
		c.noteTimestamp(now, s)   // or it would measure the round trip from its first SYN
	case s.Flags.Has(SYN):
		c.drop(now, s, &c.cfg.Stats.DropSyn)
		c.challenge(now)
	case s.DataLen() > 0 || s.Flags.Has(FIN): // something was sent twice: a lost ACK, or a spurious retransmission
		c.duplicate(now, s)
	default:
		c.challenge(now)
	}
	return false
}

// duplicate answers data or a FIN that was received before.
func (c *Conn) duplicate(now time.Duration, s *Segment) {
	if end := s.Seq.Add(s.DataLen()); s.DataLen() > 0 && end.LessEq(c.rcv.nxt) {
		c.rcv.dsack = Range{s.Seq, end}
	}
	c.ack.now = true
	if c.state == TimeWait && s.Flags.Has(FIN) {
		c.timers.linger = now + 2*c.cfg.MSL
	}
	again := s.End().LessEq(c.rcv.nxt) && c.rcv.nxt.Sub(s.Seq) <= c.rcvLimit()
	if again && s.Flags.Has(ACK) && c.state != SynReceived && c.snd.una.Less(s.Ack) && s.Ack.LessEq(c.snd.nxt) {
		c.inputAck(now, s) // its acknowledgment may be the only one that gets through
	}
}

// inputReset: only a RST exactly at RCV.NXT counts (RFC 5961 section 3.2).
func (c *Conn) inputReset(now time.Duration, s *Segment) {
	if c.state == TimeWait { // RFC 1337
		c.drop(now, s, &c.cfg.Stats.DropReset)
		return
	}
	if s.Seq != c.rcv.nxt {
		c.drop(now, s, &c.cfg.Stats.DropReset)
		c.challenge(now)
		return
	}
	c.cfg.Stats.ResetsIn.Inc()
	switch c.state {
	case SynReceived:
		c.fail(now, syscall.ECONNREFUSED)
	case Closing, LastAck:
		c.setState(now, Closed)
	case CloseWait:
		c.fail(now, syscall.EPIPE)
	default:
		c.fail(now, syscall.ECONNRESET)
	}
}

// inputSyn: a SYN on a live connection draws a challenge (RFC 5961 section 4.2); one in the window of a half-open
// passive connection ends that, and the peer's next SYN finds the listener (RFC 9293 section 3.10.7.4, fourth).
func (c *Conn) inputSyn(now time.Duration, s *Segment) {
	c.drop(now, s, &c.cfg.Stats.DropSyn)
	if c.state == SynReceived && c.passive {
		c.fail(now, syscall.ECONNRESET)
		return
	}
	c.challenge(now)
}

// challenge sends an ACK that an honest peer answers and a blind attacker cannot use. Each connection has its own
// allowance, so the rate tells nothing about others (RFC 5961 section 7, CVE-2016-5696).
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
