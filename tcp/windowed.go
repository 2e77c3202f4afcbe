package tcp

import "time"

// windowed is congestion control by a window that grows until a loss says that it is too large. What such algorithms have in common is
// here: slow start, and what a loss and a timeout do. How fast to grow and how far to step back is the curve's, of which C is the state.
type windowed[C any, P curve[C]] struct {
	baseAlgorithm
	state   C
	hystart hystart
	before  *C  // the state before the latest recovery, or timeout
	held    int // bytes that SACKs and duplicate ACKs reported since SND.UNA moved last
}

// curve is NewReno or CUBIC. Sizes are in bytes.
type curve[C any] interface {
	*C
	// grow returns the window after bytes were delivered in congestion avoidance.
	grow(now time.Duration, g growth) int
	// reduce returns the slow-start threshold after a loss.
	reduce(cwnd, flight, mss int) int
}

// growth is what a curve may base its growth on.
type growth struct {
	cwnd, acked, mss int
	limited          bool // the window, and not the application or the peer, held the sender back
	srtt             time.Duration
}

// prr is proportional rate reduction (RFC 9937 section 6).
type prr struct {
	recoverFS, delivered, out int
}

func (w *windowed[C, P]) start(_ time.Duration, c *Conn) { w.hystart.end = c.snd.una }

func (w *windowed[C, P]) measured(rtt time.Duration) { w.hystart.sample(rtt) }

// restart cuts the window of a connection that was idle for longer than a timeout (RFC 5681 section 4.1).
func (w *windowed[C, P]) restart(c *Conn) {
	if g := &c.cc; g.state == CAOpen {
		g.cwnd = min(g.cwnd, initialWindow(c.snd.mss))
	}
}

func (w *windowed[C, P]) enter(c *Conn, flight int) {
	w.begin()
	c.cc.ssthresh = P(&w.state).reduce(c.cc.cwnd, flight, c.snd.mss)
	c.cc.cwnd = c.snd.pipe() + c.snd.mss // until an acknowledgment says more
}

// begin remembers the state for undo.
func (w *windowed[C, P]) begin() {
	w.held = 0
	if w.before == nil {
		w.before = new(C)
	}
	*w.before = w.state
}

// undo brings back the curve as well (RFC 9438 section 4.9).
func (w *windowed[C, P]) undo(*Conn) { w.held, w.state = 0, *w.before }

func (w *windowed[C, P]) leave(c *Conn) {
	if g := &c.cc; g.state == CARecovery {
		g.cwnd = max(g.ssthresh, c.snd.mss)
	}
}

// timeout starts over from one segment (RFC 5681 section 3.1).
func (w *windowed[C, P]) timeout(c *Conn, _ int, again bool) {
	if w.held = 0; c.cc.state == CAOpen {
		w.begin()
	}
	if !again {
		w.reduce(c)
	}
	c.cc.cwnd = c.snd.mss
}

// mark reduces the window like a loss, but nothing needs repair (RFC 3168 section 6.1.2). So does a loss that a tail loss probe has
// repaired already (RFC 8985 section 7.4.2).
func (w *windowed[C, P]) mark(c *Conn) {
	w.reduce(c)
	c.cc.cwnd = c.cc.ssthresh
}

func (w *windowed[C, P]) reduce(c *Conn) {
	c.cc.ssthresh = P(&w.state).reduce(c.cc.cwnd, c.cc.flightSize(&c.snd), c.snd.mss)
}

func (w *windowed[C, P]) acked(now time.Duration, c *Conn, f feedback) {
	g := &c.cc
	w.hystart.end = maxSeq(w.hystart.end, c.snd.una) // as Conn.marks
	if g.state == CARecovery {
		g.reduceRate(c, f.acked, f.good)
		return
	}
	n := w.count(c, f)
	switch {
	case n == 0 || !c.state.synchronized() || c.snd.una.Less(c.ecn.until):
	case g.cwnd >= g.ssthresh:
		g.cwnd = P(&w.state).grow(now, growth{g.cwnd, n, c.snd.mss, f.limited, c.rtt.srtt})
	case f.limited:
		w.slowStart(c, n)
	}
}

// count returns the bytes by which an ACK lets the window grow. An ACK that does not move SND.UNA lets it grow by none (RFC 5681 section 3.2
// step 1); the next that does counts its bytes, if no loss was found meanwhile. The window bounds them: after a timeout one ACK may cover
// much data that arrived before.
func (w *windowed[C, P]) count(c *Conn, f feedback) int {
	if !f.advanced {
		if c.cc.state == CAOpen {
			w.held += f.acked
		}
		return 0
	}
	n := min(w.held+f.acked, c.cc.cwnd)
	w.held = 0
	return n
}

// slowStart grows by what was acknowledged (RFC 5681 section 3.1), without a limit per acknowledgment: our peers
// acknowledge whole super-packets.
func (w *windowed[C, P]) slowStart(c *Conn, n int) {
	cwnd, more := w.hystart.grow(c, n)
	c.cc.cwnd = cwnd
	if !more {
		c.cc.ssthresh = cwnd
	}
}

// reduceRate sets the window so that sending keeps in proportion to what arrives (RFC 9937 section 6).
func (g *congestion) reduceRate(c *Conn, delivered int, good bool) {
	if delivered == 0 { // what left the network is lost, or left it before
		return
	}
	p := &g.repair.prr
	p.delivered += delivered
	pipe := c.snd.pipe()
	var send int
	if pipe > g.ssthresh {
		send = (p.delivered*g.ssthresh+p.recoverFS-1)/p.recoverFS - p.out
	} else {
		send = max(p.delivered-p.out, delivered)
		if good {
			send += c.snd.mss
		}
		send = min(send, g.ssthresh-pipe)
	}
	if p.out == 0 { // the first retransmission always goes
		send = max(send, c.snd.mss)
	}
	g.cwnd = pipe + max(send, 0)
}

// reno is NewReno's growth and reduction (RFC 5681 section 3.1).
type reno struct{}

func (*reno) grow(_ time.Duration, g growth) int {
	if !g.limited {
		return g.cwnd
	}
	return g.cwnd + max(g.mss*min(g.acked, g.cwnd)/g.cwnd, 1)
}

func (*reno) reduce(_, flight, mss int) int { return max(flight/2, 2*mss) }
