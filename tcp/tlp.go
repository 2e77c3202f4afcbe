package tcp

import "time"

// tlp is the tail loss probe (RFC 8985 section 7). If the last segments of a burst are lost, no later segment draws the ACKs that would show the
// loss. A probe after two round trips draws one, long before the retransmission timer expires.
type tlp struct {
	send    bool // the next Output is a probe
	active  bool // a probe is unanswered
	retrans bool // that probe was a retransmission
	sampled bool // an RTT was measured since the last probe
	end     Seq  // SND.NXT when the probe was sent
}

// maxAckDelay is the longest time by which a peer delays the ACK of a lone segment (RFC 8985 section 7.2, WCDelAckT).
const maxAckDelay = 200 * time.Millisecond

// schedule sets the probe timer after data was sent or delivered (RFC 8985 section 7.2).
func (t *tlp) schedule(now time.Duration, c *Conn) {
	c.timers.tlp = 0
	snd := &c.snd
	if !c.sackOK || c.cc.state != CAOpen || snd.board.sacked > 0 || t.active || !t.sampled || snd.una == snd.nxt || snd.wnd == 0 || !c.state.synchronized() {
		return
	}
	wait := time.Second
	if c.rtt.srtt > 0 {
		wait = 2*c.rtt.srtt + 2*granularity // as in Linux, the granularity of both ends' clocks is added
		if snd.nxt.Sub(snd.una) <= snd.mss {
			wait += maxAckDelay
		}
	}
	c.timers.tlp = min(now+wait, c.timers.rexmt)
}

// outputTail sends a probe: new data if the window allows it, or else the last segment again (RFC 8985 section 7.3).
func (c *Conn) outputTail(now time.Duration, s *Segment) bool {
	snd := &c.snd
	if !c.tlp.send || snd.una == snd.nxt {
		c.tlp.send = false
		return false
	}
	size := min(snd.unsent(), snd.una.Add(snd.wnd).Sub(snd.nxt), snd.mss)
	w := Range{snd.nxt, snd.nxt.Add(size)}
	if size > 0 {
		snd.nxt = w.End
		snd.board.push(w, snd.mss, now)
	} else {
		w = snd.lastSegment()
		snd.board.resent(snd.board.split(snd.board.find(w.Start), w.Start), w.Len(), snd.mss, now)
		c.countRetransmit(w)
	}
	c.tlp = tlp{active: true, retrans: size <= 0, end: snd.nxt}
	snd.lastSent = now
	c.fill(s, w)
	c.restartRexmt(now)
	return true
}

// lastSegment is the last segment in flight, with our FIN if that is in flight. It is at most full-sized.
func (snd *sender) lastSegment() Range {
	w := snd.board.last().Range
	data := w.Len()
	if snd.ownsFin(w) {
		data--
	}
	w.Start = w.Start.Add(max(data-1, 0) / snd.mss * snd.mss)
	return w
}

// acked takes an ACK while a probe is unanswered (RFC 8985 section 7.4.2). If the probe was a retransmission and the ACK carries no D-SACK, the
// probe has repaired a loss, which no other rule reports to congestion control.
func (t *tlp) acked(c *Conn, s *Segment) {
	if !t.active || s.Ack.Less(t.end) {
		return
	}
	t.active = false
	if t.retrans && !c.rack.duplicate && c.cc.state == CAOpen {
		c.cc.algorithm.mark(c)
	}
}
