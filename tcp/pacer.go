package tcp

import "time"

// pacer spreads what a model of the path lets through over time, in bursts of at most a quantum (draft-ietf-ccwg-bbr-06 sections 5.6.2 and
// 5.6.3).
type pacer struct {
	rate    float64       // octets a second
	quantum int           // octets
	next    time.Duration // nothing goes before
	resume  time.Duration // Output waits for that; 0: it does not
}

// burst is how much time one burst's worth of octets covers at most.
const burst = time.Millisecond

// set changes the rate, and the quantum with it.
func (p *pacer) set(rate float64, mss int) {
	p.rate = rate
	p.quantum = max(min(int(rate*burst.Seconds()), 64<<10), 2*mss)
}

// sent puts off what follows by the time that n octets take. Who comes late, as timers do, may catch up with one burst.
func (p *pacer) sent(now time.Duration, n int) {
	if p.rate > 0 {
		p.next = max(p.next, now-burst) + time.Duration(float64(n)/p.rate*float64(time.Second))
	}
}

// expire ends Output's waiting.
func (p *pacer) expire(now time.Duration) {
	if p.resume <= now {
		p.resume = 0
	}
}

// paced says whether it is too early to send, and then makes Deadline tell when it no longer is.
func (c *Conn) paced(now time.Duration) bool {
	b := c.cc.bbr()
	if b == nil || b.pace.next <= now {
		return false
	}
	b.pace.resume = b.pace.next
	return true
}
