package tcp

import "time"

// Zero-window probing (RFC 9293 section 3.8.6.1). The persist timer runs while data is unsent and nothing is in flight. Its expiry sends a
// window probe if the peer's window is closed. If the window is only too small, its expiry is the override timeout of silly window avoidance
// (section 3.8.6.2.1).
//
// The persist timer and the retransmission timer exclude each other: one runs only while nothing is in flight, the other only while something
// is. If the peer closes its window while data is in flight, the retransmission timer sends the window probes.
//
// A window probe carries the first byte that the peer has not acknowledged. If that byte is new, SND.NXT stays before it until the peer
// acknowledges it. When the window opens, all data is thus unsent and leaves in full-sized segments.

// persist is the state of zero-window probing.
type persist struct {
	send     bool // the next Output is a window probe
	override bool // the next Output fills the window, however small it is
	probed   bool // the byte at SND.NXT was sent as a probe
}

// armPersist starts the persist timer if Output can send nothing although data or a FIN is unsent, and nothing is in flight. It stops the timer
// if TCP_CORK, MSG_MORE or pacing delays the data, because these have timers of their own.
func (c *Conn) armPersist(now time.Duration) {
	snd, t := &c.snd, &c.timers
	stuck := snd.una == snd.nxt && c.state.synchronized() && (snd.unsent() > 0 || snd.finUnsent())
	switch {
	case !stuck || t.cork != 0 || c.paced(now):
		t.persist = 0
	case t.persist == 0:
		t.persist = now + min(c.rtt.timeout(c.cfg), c.userTimeoutLeft(now))
	}
}

// persistTimeout acts on an expiry of the persist timer.
func (c *Conn) persistTimeout(now time.Duration) {
	if c.snd.wnd > 0 {
		c.snd.persist.override = true
	} else if c.backOff(now) {
		c.snd.persist.send = true
	}
}

// outputWindowProbe sends a window probe: the byte, or our FIN, at SND.UNA.
func (c *Conn) outputWindowProbe(now time.Duration, s *Segment) bool {
	snd := &c.snd
	if !snd.persist.send {
		return false
	}
	snd.persist.send = false
	if snd.una != snd.nxt {
		snd.board.resent(snd.board.first(), 1, snd.mss, now)
		c.restartRexmt(now)
	} else {
		snd.persist.probed, snd.lastSent = true, now
	}
	c.fill(s, Range{snd.una, snd.una + 1})
	c.cfg.Stats.Probes.Inc()
	return true
}

// probeAcked advances SND.NXT over the byte of a window probe that ack acknowledges. It marks the byte as retransmitted, so that it gives no RTT
// sample, because the probe may have been sent more than once.
func (c *Conn) probeAcked(ack Seq) {
	if snd := &c.snd; snd.persist.probed && snd.una == snd.nxt && ack == snd.nxt+1 {
		snd.board.push(Range{snd.nxt, ack}, snd.mss, snd.lastSent)
		snd.board.last().retrans = true
		snd.nxt = ack
	}
}

// windowReopened marks all data in flight as lost, so that Output sends it again: the peer has discarded data that arrived while its window was
// closed. Congestion control does not learn of it.
func (c *Conn) windowReopened(now time.Duration) {
	c.rtt.backoff = 0
	c.snd.retries, c.snd.stalled = 0, false
	c.timers.persist = 0
	c.snd.board.markAllLost()
	c.restartRexmt(now)
}
