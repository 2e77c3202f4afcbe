package tcp

import "time"

// hystart leaves slow start when round-trip times grow, before losses say so (HyStart++, RFC 9406).
type hystart struct {
	end             Seq   // the round ends when this is acknowledged
	samples, rounds uint8 // samples in this round; rounds spent in conservative slow start
	last, current   time.Duration
	baseline        time.Duration // the round's RTT when conservative slow start began; 0: ordinary slow start
}

// The RFC's constants (section 4.3).
const (
	hystartMinThresh  = 4 * time.Millisecond
	hystartMaxThresh  = 16 * time.Millisecond
	hystartSamples    = 8
	hystartCSSDivisor = 4
	hystartCSSRounds  = 5
)

// grow is slow start for n acknowledged bytes. It returns the new window, and false when slow start is over.
func (h *hystart) grow(c *Conn, n int) (cwnd int, more bool) {
	g := &c.cc
	if h.end.LessEq(c.snd.una) {
		more = h.nextRound(c.snd.nxt)
		if !more {
			return g.cwnd, false
		}
	}
	if h.baseline != 0 {
		n /= hystartCSSDivisor
	}
	return min(g.cwnd+n, max(g.ssthresh, g.cwnd+c.snd.mss)), true
}

func (h *hystart) nextRound(nxt Seq) bool {
	if h.baseline != 0 {
		if h.rounds++; h.rounds >= hystartCSSRounds {
			h.baseline, h.rounds = 0, 0
			return false
		}
	}
	h.end, h.last, h.current, h.samples = nxt, h.current, 0, 0
	return true
}

// sample takes a round-trip time measured during slow start (RFC 9406 section 4.2).
func (h *hystart) sample(m time.Duration) {
	if h.current == 0 || m < h.current {
		h.current = m
	}
	h.samples++
	if h.samples < hystartSamples || h.last == 0 {
		return
	}
	if h.baseline != 0 {
		if h.current < h.baseline { // it was jitter
			h.baseline, h.rounds = 0, 0
		}
		return
	}
	threshold := max(hystartMinThresh, min(h.last/8, hystartMaxThresh))
	if h.current >= h.last+threshold {
		h.baseline, h.rounds = h.current, 0
	}
}
