package tcp

import "time"

// tlp is the tail loss probe (RFC 8985 section 7): when the last segments of a burst are lost, no acknowledgment
// tells; a probe after two round trips draws one, long before the retransmission timer.
type tlp struct {
	send    bool // the next Output is the probe
	active  bool // one is out
	retrans bool // and it carried old data
	sampled bool // an RTT was measured since the last one
	end     Seq  // SND.NXT when it was sent
}

// maxAckDelay is what a peer may wait before it acknowledges a lone segment (RFC 8985 section 7.2, WCDelAckT).
const maxAckDelay = 200 * time.Millisecond

// schedule sets the probe timer after new data was sent or acknowledged (RFC 8985 section 7.2).
func (t *tlp) schedule(now time.Duration, c *Conn) {
	c.timers.tlp = 0
	snd := &c.snd
	if !c.sackOK || c.cc.state != CAOpen || snd.board.sacked > 0 || t.active || !t.sampled || snd.una == snd.nxt || snd.wnd == 0 || !c.state.synchronized() {
		return
	}
	wait := time.Second
	if c.rtt.srtt > 0 {
		wait = 2*c.rtt.srtt + 2*granularity // with room for the clocks of both sides, as Linux
		if snd.nxt.Sub(snd.una) <= snd.mss {
			wait += maxAckDelay
		}
	}
	c.timers.tlp = min(now+wait, c.timers.rexmt)
}

// outputTail sends the probe: new data if the window takes it, else the last segment again (RFC 8985 section 7.3).
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
	c.armRexmt(now, true)
	return true
}

// lastSegment is what was sent last of what is in flight: a full-sized segment, the rest, or with either our FIN.
func (snd *sender) lastSegment() Range {
	w := snd.board.last().Range
	data := w.Len()
	if snd.ownsFin(w) {
		data--
	}
	w.Start = w.Start.Add(max(data-1, 0) / snd.mss * snd.mss)
	return w
}

// acked looks at an acknowledgment while a probe is out (RFC 8985 section 7.4.2). A probe that repaired a loss counts
// as one: nothing else would tell the congestion control.
func (t *tlp) acked(c *Conn, s *Segment, duplicate bool) {
	if !t.active || s.Ack.Less(t.end) {
		return
	}
	t.active = false
	if t.retrans && !duplicate && c.cc.state == CAOpen {
		c.cc.algorithm.mark(c)
	}
}
