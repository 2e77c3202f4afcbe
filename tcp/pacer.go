package tcp

import "time"

// pacer spreads segments over time, in bursts of at most a quantum (draft-ietf-ccwg-bbr-06 sections 5.6.2 and 5.6.3). It uses the lower of two
// rates: that of an algorithm with a model of the path, and that of the user (SO_MAX_PACING_RATE). Rates are in bytes a second; 0 means no
// bound. A nil pacer does not pace.
type pacer struct {
	model  float64       // the rate that the algorithm has set
	most   float64       // the rate that the user has set
	next   time.Duration // earliest time of the next transmission
	resume time.Duration // deadline at which Output sends delayed data; 0: no data is delayed
}

// burst is the longest duration of one burst at the pacing rate.
const burst = time.Millisecond

// rate is the pacing rate; 0: the pacer does not pace.
func (p *pacer) rate() float64 {
	if p == nil {
		return 0
	}
	if p.most == 0 || p.model > 0 && p.model < p.most {
		return p.model
	}
	return p.most
}

// quantum is the largest number of bytes to send at once.
func (p *pacer) quantum(mss int) int {
	rate := p.rate()
	if rate == 0 {
		return infinite
	}
	return max(int(min(rate*burst.Seconds(), 64<<10)), 2*mss)
}

// setMaxPacingRate sets the user's bound in bytes a second; 0: no bound. Delays by the old bound end.
func (g *congestion) setMaxPacingRate(now time.Duration, rate uint64) {
	most := float64(rate)
	if g.pace == nil && most > 0 {
		g.pace = new(pacer)
	}
	if p := g.pace; p != nil && p.most != most {
		p.most, p.next, p.resume = most, min(p.next, now), 0
	}
}

// setModelRate sets the algorithm's rate in bytes a second; 0: no bound.
func (g *congestion) setModelRate(rate float64) {
	if g.pace == nil && rate > 0 {
		g.pace = new(pacer)
	}
	if g.pace != nil {
		g.pace.model = rate
	}
}

// sent delays the next segment by the time that the n bytes sent take at the pacing rate. Timers are late, so the sender may catch up by one burst.
func (p *pacer) sent(now time.Duration, n int) {
	if rate := p.rate(); rate > 0 {
		p.next = max(p.next, now-burst) + time.Duration(float64(n)/rate*float64(time.Second))
	}
}

// expire clears the deadline if it has passed.
func (p *pacer) expire(now time.Duration) {
	if p != nil && p.resume <= now {
		p.resume = 0
	}
}

// deadline is the time at which Output sends delayed data; 0: no data is delayed.
func (p *pacer) deadline() time.Duration {
	if p == nil {
		return 0
	}
	return p.resume
}

// paced reports whether pacing delays the next transmission, and then sets the deadline.
func (c *Conn) paced(now time.Duration) bool {
	p := c.cc.pace
	if p == nil || p.next <= now {
		return false
	}
	p.resume = p.next
	return true
}
