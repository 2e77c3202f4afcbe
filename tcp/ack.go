package tcp

import "time"

// ackState is the state of acknowledging.
type ackState struct {
	now         bool          // an ACK is due: the next Output carries it
	apart       int8          // number of ACKs still to be sent for each segment, also within a batch
	challengeAt time.Duration // start of the second in which challenges were counted
	challenges  int           // challenge ACKs sent in that second
}

// scheduleAck follows data that arrived in order. An ACK is due at once after two full-sized segments (RFC 9293 section 3.8.6.3) and at the start
// of a connection, while the peer's congestion window is small. Otherwise it is delayed, so that it can ride on a reply.
func (c *Conn) scheduleAck(now time.Duration) {
	r := &c.rcv
	switch {
	case c.ack.now:
	case r.quick > 0 || r.unacked >= 2*r.mss:
		c.ack.now = true
	case c.timers.delack == 0:
		c.timers.delack = now + c.cfg.DelayedAck
	}
}

// quickAcks is the number of ACKs that are not delayed at the start of a connection.
const quickAcks = 16

// apartAcks is the number of ACKs that are sent for each segment after a duplicate. They are cheap, because windows are small on a path that loses
// ACKs.
const apartAcks = 64

// SetQuickAck is TCP_QUICKACK. As on Linux it does not last: on sends a delayed ACK at once and does not delay the next ones until data of the
// user carries an ACK; off delays ACKs from now on.
func (c *Conn) SetQuickAck(on bool) {
	c.rcv.dialogue, c.rcv.quick = !on, 0
	if on {
		c.rcv.quick = quickAcks
		c.ack.now = c.ack.now || c.timers.delack != 0
	}
}

// QuickAck reports whether ACKs are not delayed: no data of the user has carried an ACK, and SetQuickAck(false) was not called.
func (c *Conn) QuickAck() bool { return !c.rcv.dialogue }

// inputAck is RFC 9293 section 3.10.7.4, fifth. It returns false if the segment needs no further processing.
func (c *Conn) inputAck(now time.Duration, s *Segment) bool {
	if c.state == SynReceived {
		if !c.snd.una.Less(s.Ack) || c.snd.nxt.Less(s.Ack) {
			c.drop(now, s, &c.cfg.Stats.DropAck, ackOfOurSyn)
			c.reset = pendingReset{pending: true, flags: RST, seq: s.Ack}
			return false
		}
		c.snd.wl1 = s.Seq.Add(-1) // so that updateWindow takes the window of this segment
		c.setState(now, Established)
		defer c.established(now)
	}
	c.probeAcked(s.Ack)
	if !c.ackAcceptable(s) {
		c.drop(now, s, &c.cfg.Stats.DropAck, ackNotOfSent)
		c.challenge(now)
		return false
	}
	c.acknowledge(now, s)
	if c.snd.finAcked() {
		c.events |= Acked
		switch c.state {
		case FinWait1:
			c.setState(now, FinWait2)
		case Closing:
			c.setState(now, TimeWait)
		case LastAck:
			c.setState(now, Closed)
			return false
		}
	}
	return true
}

// ackAcceptable reports whether SEG.ACK lies between SND.UNA - MAX.SND.WND and SND.NXT (RFC 5961 section 5.2).
func (c *Conn) ackAcceptable(s *Segment) bool {
	return s.Flags.Has(ACK) && s.Ack.LessEq(c.snd.nxt) && c.snd.una.Add(-c.snd.maxWnd).LessEq(s.Ack)
}

// established completes the handshake.
func (c *Conn) established(now time.Duration) {
	c.enterClosing(now)
	c.takeHeldText()
	c.cc.start(now, c)
	c.rcv.arrival = arrivalRTT{val: c.timestamp(now)} // only later timestamps differ from those of the handshake
	if c.snd.synResent {
		c.rtt.rto, c.rtt.backoff = 3*time.Second, 0 // RFC 6298 section 5.7
	}
}

// acknowledge takes the peer's window, advances SND.UNA, takes SACK blocks and the RTT sample, and then runs loss detection and congestion
// control.
func (c *Conn) acknowledge(now time.Duration, s *Segment) {
	wasWnd, wasUna, limited := c.snd.wnd, c.snd.una, c.snd.limited
	c.updateWindow(s)

	var d delivery
	highest := c.rack.highest
	c.rack.duplicate = false
	advanced := s.Ack.Sub(c.snd.una)
	if advanced > 0 {
		c.advanceUna(s.Ack, highest, &d)
	} else {
		advanced = 0
	}
	if c.sackOK {
		c.inputSacks(s, highest, &d)
	}
	if d.any {
		c.blackhole.arrived(c, d.latest.Len())
	}
	c.sampleRTT(now, s, advanced, &d)
	delivered := c.countDuplicate(s, advanced, wasWnd, &d)
	c.tlp.acked(c, s)
	c.ecn.echoed(c, s)
	c.recover(now, s, feedback{delivery: d, acked: delivered, advanced: advanced > 0, limited: limited})
	if advanced > 0 && !c.keepsTimer(wasUna) || c.snd.una == c.snd.nxt { // RFC 6298 section 5, rules 5.2 and 5.3
		c.restartRexmt(now)
	}
	if d.any {
		c.tlp.schedule(now, c)
	}
	if wasWnd == 0 && c.snd.wnd > 0 {
		c.windowReopened(now)
	}
}

// updateWindow takes SND.WND from segments that are newer than the last one used (WL1, WL2). A retransmitted segment fails the WL1 test
// although it is new. If it acknowledges new data, its window is taken: otherwise SND.UNA would advance with the old SND.WND, and the
// right edge with it.
func (c *Conn) updateWindow(s *Segment) {
	snd := &c.snd
	if s.Ack.Less(snd.una) || s.Flags.Has(SYN) {
		return
	}
	if snd.una.Less(s.Ack) || snd.wl1.Less(s.Seq) || snd.wl1 == s.Seq && snd.wl2.LessEq(s.Ack) {
		snd.wnd = int(s.Wnd) << snd.shift
		snd.wl1, snd.wl2 = maxSeq(snd.wl1, s.Seq), s.Ack
		snd.maxWnd = max(snd.maxWnd, snd.wnd)
	}
}

// advanceUna moves SND.UNA to ack, and removes acknowledged data from the send buffer and the scoreboard.
func (c *Conn) advanceUna(ack, highest Seq, d *delivery) {
	snd := &c.snd
	snd.board.ackTo(ack, highest, d)
	if snd.una == snd.iss {
		snd.synResent = snd.retries > 0
	}
	data := min(ack.Sub(snd.dataStart()), snd.buf.Len()) // without our FIN
	snd.una = ack
	for _, mark := range c.marks() {
		*mark = maxSeq(*mark, ack)
	}
	snd.buf.Discard(data)
	c.counts.bytesAcked += uint64(data)
	snd.retries, snd.stalled, c.moved = 0, false, true
	if data > 0 && c.canWrite() {
		c.events |= Writable
	}
	if snd.una == snd.nxt && snd.buf.Len() == 0 {
		c.events |= Acked
	}
}

// sampleRTT measures the round-trip time by the newly delivered flight that was sent last, because no later flight can have drawn this ACK.
// There are two exceptions:
//
//   - A retransmitted flight gives a sample only if the ACK echoes a timestamp of the last copy (Karn's rule, RFC 7323 section 4.1, RFC 3522
//     section 3.2).
//   - If the ACK carries a D-SACK, a flight that was sent once gives none: a duplicate of other data has drawn the ACK, and the flight may have
//     arrived long before.
//
// The echoed timestamp alone gives no sample, because a receiver may answer a duplicate with the timestamp of the first copy.
func (c *Conn) sampleRTT(now time.Duration, s *Segment, advanced int, d *delivery) {
	switch f := &d.latest; {
	case !d.any:
		return
	case !f.retrans && c.rack.duplicate:
		return
	case f.retrans && now-f.sent < c.rtt.min: // within one tick of the clock both copies have the same timestamp
		return
	case f.retrans && !(advanced > 0 && c.tsOK && s.Options.TSEcr != 0 && int32(s.Options.TSEcr-c.timestamp(f.sent)) >= 0):
		return
	}
	d.rtt = max(now-d.latest.sent, time.Microsecond)
	c.rtt.sample(d.rtt, c.cfg)
	c.tlp.sampled = true
	c.cc.algorithm.measured(d.rtt)
	c.trace(now, Event{Kind: RoundTripSample, RTT: d.rtt})
}
