package tcp

import "time"

// hystart ends slow start when round-trip times grow, before a loss does (HyStart++, RFC 9406).
type hystart struct {
	end             Seq           // windowEnd: the round ends when this is acknowledged
	samples, rounds uint8         // RTT samples in this round; rounds spent in conservative slow start
	last, current   time.Duration // lastRoundMinRTT, currentRoundMinRTT; 0: no sample
	baseline        time.Duration // cssBaselineMinRtt; 0: ordinary slow start
}

// The RFC's constants (section 4.3).
const (
	hystartMinThresh  = 4 * time.Millisecond
	hystartMaxThresh  = 16 * time.Millisecond
	hystartSamples    = 8
	hystartCSSDivisor = 4
	hystartCSSRounds  = 5
)

// grow returns the window after n bytes were acknowledged in slow start, and false when slow start has ended.
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

// nextRound begins a round that ends at nxt. It returns false if conservative slow start has lasted for its number of rounds.
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

// sample takes an RTT sample (RFC 9406 section 4.2).
func (h *hystart) sample(m time.Duration) {
	if h.current == 0 || m < h.current {
		h.current = m
	}
	h.samples++
	if h.samples < hystartSamples || h.last == 0 {
		return
	}
	if h.baseline != 0 {
		if h.current < h.baseline { // the RTT has fallen again: resume ordinary slow start
			h.baseline, h.rounds = 0, 0
		}
		return
	}
	threshold := max(hystartMinThresh, min(h.last/8, hystartMaxThresh))
	if h.current >= h.last+threshold {
		h.baseline, h.rounds = h.current, 0
	}
}
