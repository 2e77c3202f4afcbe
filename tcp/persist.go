package tcp

import "time"

// Zero-window probing (RFC 9293 section 3.8.6.1). The persist timer runs while something waits to be sent and nothing is in flight whose
// acknowledgment would bring a new window. Its expiry sends a window probe if the window is closed. If the window is only too small, the
// expiry is the override timeout of silly window avoidance (section 3.8.6.2.1). While data is in flight, the retransmission timer
// probes a window that the peer has closed.
//
// A window probe is the first byte that the peer has not acknowledged. A new byte is not counted as sent, SND.NXT stays before it, until
// it is acknowledged: so when the window opens everything still waits, and leaves in full-sized segments.

// persist is the sender's part.
type persist struct {
	send     bool // the next Output is a window probe
	override bool // the next Output uses the window, however small
	probed   bool // the byte at SND.NXT was sent as a probe
}

// armPersist keeps the persist timer running while nothing else would end the silence. What TCP_CORK or MSG_MORE holds, and what waits
// for its pace, has timers of its own.
func (c *Conn) armPersist(now time.Duration) {
	snd, t := &c.snd, &c.timers
	waits := snd.una == snd.nxt && c.state.synchronized() && (snd.unsent() > 0 || snd.finUnsent())
	switch {
	case !waits || t.cork != 0 || c.paced(now):
		t.persist = 0
	case t.persist == 0:
		t.persist = now + min(c.rtt.timeout(c.cfg), c.userTimeoutLeft(now))
	}
}

// persistTimeout is the expiry of the persist timer.
func (c *Conn) persistTimeout(now time.Duration) {
	if c.snd.wnd > 0 {
		c.snd.persist.override = true
	} else if c.backOff(now) {
		c.snd.persist.send = true
	}
}

// outputWindowProbe sends the first byte that the peer has not acknowledged, or our FIN.
func (c *Conn) outputWindowProbe(now time.Duration, s *Segment) bool {
	snd := &c.snd
	if !snd.persist.send {
		return false
	}
	snd.persist.send = false
	if snd.una != snd.nxt {
		snd.board.resent(snd.board.first(), 1, snd.mss, now)
		c.armRexmt(now, true)
	} else {
		snd.persist.probed, snd.lastSent = true, now
	}
	c.fill(s, Range{snd.una, snd.una + 1})
	c.cfg.Stats.Probes.Inc()
	return true
}

// probeAcked counts the byte of a window probe as sent, now that ack acknowledges it. No round trip is measured by it, because it may
// have been sent more than once.
func (c *Conn) probeAcked(ack Seq) {
	if snd := &c.snd; snd.persist.probed && snd.una == snd.nxt && ack == snd.nxt+1 {
		snd.board.push(Range{snd.nxt, ack}, snd.mss, snd.lastSent)
		snd.board.last().retrans = true
		snd.nxt = ack
	}
}

// windowReopened sends what a closed window held back. A probe that was not accepted is not a loss.
func (c *Conn) windowReopened(now time.Duration) {
	c.rtt.backoff = 0
	c.snd.retries, c.snd.stalled = 0, false
	c.timers.persist = 0
	c.snd.board.markAllLost()
	c.armRexmt(now, true)
}
