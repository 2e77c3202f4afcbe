package tcp

import "time"

// windowed is congestion control by a window that grows until a loss (RFC 5681). It implements slow start and the responses to losses and
// timeouts. The curve with the state C decides how fast the window grows in congestion avoidance, and how far a loss reduces it.
type windowed[C any, P curve[C]] struct {
	baseAlgorithm
	state   C
	hystart hystart
	before  *C  // the state before the latest recovery or timeout
	held    int // bytes that SACKs and duplicate ACKs have reported since SND.UNA last advanced
}

// curve is NewReno or CUBIC. Sizes are in bytes.
type curve[C any] interface {
	*C
	// grow returns the window after g.acked bytes were delivered in congestion avoidance.
	grow(now time.Duration, g growth) int
	// reduce returns the slow-start threshold after a loss, with flight bytes of the window in use.
	reduce(cwnd, flight, mss int) int
}

// growth is the input of curve.grow.
type growth struct {
	cwnd, acked, mss int
	limited          bool // the congestion window, not the application or the peer's window, limited sending
	srtt             time.Duration
}

// prr is the state of proportional rate reduction in bytes: RecoverFS, prr_delivered and prr_out (RFC 9937 section 6).
type prr struct {
	recoverFS, delivered, out int
}

func (w *windowed[C, P]) start(_ time.Duration, c *Conn) { w.hystart.end = c.snd.una }

func (w *windowed[C, P]) measured(rtt time.Duration) { w.hystart.sample(rtt) }

// restart reduces the window after an idle time longer than the retransmission timeout (RFC 5681 section 4.1).
func (w *windowed[C, P]) restart(c *Conn) {
	if g := &c.cc; g.state == CAOpen {
		g.cwnd = min(g.cwnd, initialWindow(c.snd.mss))
	}
}

func (w *windowed[C, P]) enter(c *Conn, flight int) {
	w.begin()
	c.cc.ssthresh = P(&w.state).reduce(c.cc.cwnd, flight, c.snd.mss)
	c.cc.cwnd = c.snd.pipe() + c.snd.mss // room for the first retransmission; reduceRate sets it at the next ACK
}

// begin saves the state for undo.
func (w *windowed[C, P]) begin() {
	w.held = 0
	if w.before == nil {
		w.before = new(C)
	}
	*w.before = w.state
}

// undo restores the state of the curve (RFC 9438 section 4.9).
func (w *windowed[C, P]) undo(*Conn) { w.held, w.state = 0, *w.before }

func (w *windowed[C, P]) leave(c *Conn) {
	if g := &c.cc; g.state == CARecovery {
		g.cwnd = max(g.ssthresh, c.snd.mss)
	}
}

// timeout reduces the window to one segment. A second timeout in a row does not reduce ssthresh again (RFC 5681 section 3.1).
func (w *windowed[C, P]) timeout(c *Conn, _ int) {
	if w.held = 0; c.cc.state == CAOpen {
		w.begin()
	}
	if c.cc.state != CALoss {
		w.reduce(c)
	}
	c.cc.cwnd = c.snd.mss
}

// mark reduces the window as a loss does, but without recovery: for a congestion mark (RFC 3168 section 6.1.2), and for a loss that a tail loss
// probe has repaired (RFC 8985 section 7.4.2).
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

// count returns the number of acknowledged bytes for which the window grows. It is 0 for an ACK that does not move SND.UNA (RFC 5681 section
// 3.2 step 1); the next ACK that moves SND.UNA counts the bytes of both, if no loss was found meanwhile. The number is at most the window: after a
// timeout one ACK may cover many bytes that arrived before.
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

// slowStart increases the window by the n bytes acknowledged (RFC 5681 section 3.1), without a limit per ACK, because peers acknowledge whole
// super-segments.
func (w *windowed[C, P]) slowStart(c *Conn, n int) {
	cwnd, more := w.hystart.grow(c, n)
	c.cc.cwnd = cwnd
	if !more {
		c.cc.ssthresh = cwnd
	}
}

// reduceRate sets the window so that the bytes sent in recovery are proportional to those delivered (RFC 9937 section 6).
func (g *congestion) reduceRate(c *Conn, delivered int, good bool) {
	if delivered == 0 {
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
	if p.out == 0 { // the window always allows the first retransmission
		send = max(send, c.snd.mss)
	}
	g.cwnd = pipe + max(send, 0)
}

// reno is the curve of NewReno (RFC 5681 section 3.1).
type reno struct{}

func (*reno) grow(_ time.Duration, g growth) int {
	if !g.limited {
		return g.cwnd
	}
	return g.cwnd + max(g.mss*min(g.acked, g.cwnd)/g.cwnd, 1)
}

func (*reno) reduce(_, flight, mss int) int { return max(flight/2, 2*mss) }
