package tcp

import "time"

// pacer spreads segments over time, in bursts of at most a quantum (draft-ietf-ccwg-bbr-06 sections 5.6.2 and 5.6.3). It takes the lower
// of two rates: that of an algorithm with a model of the path, and that of the user (SO_MAX_PACING_RATE). Rates are in bytes a second;
// 0 is no bound. The methods of a nil pacer pace nothing.
type pacer struct {
	model  float64       // set by the algorithm
	most   float64       // set by the user
	next   time.Duration // nothing is sent earlier
	resume time.Duration // Output waits until then; 0: it does not wait
}

// burst is the time that one burst takes at most at the pacer's rate.
const burst = time.Millisecond

// rate is the rate to send at; 0: there is no pacing.
func (p *pacer) rate() float64 {
	if p == nil {
		return 0
	}
	if p.most == 0 || p.model > 0 && p.model < p.most {
		return p.model
	}
	return p.most
}

// quantum is how many bytes may leave at once.
func (p *pacer) quantum(mss int) int {
	rate := p.rate()
	if rate == 0 {
		return infinite
	}
	return max(int(min(rate*burst.Seconds(), 64<<10)), 2*mss)
}

// setMaxPacingRate sets the user's bound in bytes a second; 0 is none. Output no longer waits for what the old one put off.
func (g *congestion) setMaxPacingRate(now time.Duration, rate uint64) {
	most := float64(rate)
	if g.pace == nil && most > 0 {
		g.pace = new(pacer)
	}
	if p := g.pace; p != nil && p.most != most {
		p.most, p.next, p.resume = most, min(p.next, now), 0
	}
}

// setModelRate sets the algorithm's rate in bytes a second; 0 is none.
func (g *congestion) setModelRate(rate float64) {
	if g.pace == nil && rate > 0 {
		g.pace = new(pacer)
	}
	if g.pace != nil {
		g.pace.model = rate
	}
}

// sent delays the segments that follow n bytes by the time that these take. A sender that is late, as timers are, may catch up with one
// burst.
func (p *pacer) sent(now time.Duration, n int) {
	if rate := p.rate(); rate > 0 {
		p.next = max(p.next, now-burst) + time.Duration(float64(n)/rate*float64(time.Second))
	}
}

// expire ends Output's waiting.
func (p *pacer) expire(now time.Duration) {
	if p != nil && p.resume <= now {
		p.resume = 0
	}
}

// deadline is when Output's waiting ends; 0: it does not wait.
func (p *pacer) deadline() time.Duration {
	if p == nil {
		return 0
	}
	return p.resume
}

// paced says whether it is too early to send, and then makes Deadline return the time from which it is not.
func (c *Conn) paced(now time.Duration) bool {
	p := c.cc.pace
	if p == nil || p.next <= now {
		return false
	}
	p.resume = p.next
	return true
}
