package tcp

import (
	"syscall"
	"time"
)

// timers are the deadlines of a connection; 0 is off. Invariant: in CLOSED all are off, in TIME-WAIT all but linger.
type timers struct {
	rexmt                time.Duration // retransmission (RFC 6298). Invariant: off while nothing is in flight
	persist              time.Duration // window probes (RFC 9293 section 3.8.6.1). Invariant: off while something is in flight, so rexmt excludes it
	tlp                  time.Duration // tail loss probe (RFC 8985 section 7)
	reorder              time.Duration // RACK's reordering window (RFC 8985 section 6.2)
	delack               time.Duration // delayed acknowledgment
	keep                 time.Duration // keep-alive
	linger               time.Duration // end of TIME-WAIT, or of an orphan's FIN-WAIT-2
	cork                 time.Duration // end of the delay by TCP_CORK or MSG_MORE
	keepAlivesUnanswered int           // keep-alive probes sent since the last segment of the peer
}

// Deadline is the time at which the caller must call Output even if nothing else happens; 0: never.
func (c *Conn) Deadline() time.Duration {
	t := &c.timers
	return time.Duration(1 + min(before(t.rexmt), before(t.persist), before(t.tlp), before(t.reorder), before(t.delack), before(t.keep),
		before(t.linger), before(t.cork), before(c.cc.pace.deadline())))
}

// before returns the deadline less one. A timer that is off, with deadline 0, gets the largest number, so that Deadline needs no branch.
func before(deadline time.Duration) uint64 { return uint64(deadline) - 1 }

// deadlines lists the timers in the order of timerNames.
func (t *timers) deadlines() [len(timerNames)]time.Duration {
	return [...]time.Duration{t.rexmt, t.tlp, t.reorder, t.delack, t.keep, t.linger, t.cork, t.persist}
}

var timerNames = [...]string{"retransmission", "tail loss probe", "reordering", "delayed ACK", "keep-alive", "linger", "cork", "persist"}

// due reports whether a deadline has passed, and then clears it.
func (c *Conn) due(now time.Duration, deadline *time.Duration, name string) bool {
	return *deadline != 0 && *deadline <= now && c.fired(now, deadline, name)
}

// fired is a function of its own so that the compiler inlines due, which Output calls for each timer and segment.
func (c *Conn) fired(now time.Duration, deadline *time.Duration, name string) bool {
	*deadline = 0
	c.trace(now, Event{Kind: TimerFired, Why: name})
	return true
}

// runTimers acts on all deadlines that have passed.
func (c *Conn) runTimers(now time.Duration) {
	c.blackhole.expire(now, c)
	if at := c.Deadline(); at == 0 || now < at {
		return
	}
	t := &c.timers
	c.cc.pace.expire(now)
	if c.due(now, &t.tlp, "tail loss probe") { // it takes the place of a timeout that is due as well (RFC 8985 section 7.2)
		c.tlp.send = true
		c.restartRexmt(now)
	}
	if c.due(now, &t.rexmt, "retransmission") {
		c.retransmissionTimeout(now)
	}
	if c.due(now, &t.persist, "persist") {
		c.persistTimeout(now)
	}
	if c.due(now, &t.reorder, "reordering") {
		c.detectLoss(now)
	}
	if c.due(now, &t.delack, "delayed ACK") {
		c.ack.now = true
	}
	if c.due(now, &t.cork, "cork") {
		c.Push()
	}
	if c.due(now, &t.keep, "keep-alive") {
		c.keepAlive(now)
	}
	if c.due(now, &t.linger, "linger") {
		c.setState(now, Closed)
	}
}

// startRexmt starts the retransmission timer after a transmission, if it is off (RFC 6298 section 5, rule 5.1).
func (c *Conn) startRexmt(now time.Duration) {
	if c.timers.rexmt == 0 {
		c.restartRexmt(now)
	}
}

// restartRexmt restarts the retransmission timer, or stops it if nothing is in flight (RFC 6298 section 5, rules 5.2 and 5.3).
func (c *Conn) restartRexmt(now time.Duration) {
	if c.timers.rexmt = 0; c.snd.una != c.snd.nxt {
		c.timers.rexmt = now + min(c.rtt.timeout(c.cfg), c.userTimeoutLeft(now))
	}
}

// retransmissionTimeout acts on an expiry of the retransmission timer (RFC 6298 section 5): it marks flights as lost, and Output sends them
// again.
func (c *Conn) retransmissionTimeout(now time.Duration) {
	snd := &c.snd
	if !c.backOff(now) {
		return
	}
	if snd.wnd == 0 && c.state.synchronized() { // the window probe retransmits; its answer restarts the timer
		snd.persist.send = true
		return
	}
	c.cfg.Stats.Timeouts.Inc()
	if snd.retries == retriesR1 {
		c.events |= Troubled
	}
	c.timers.tlp = 0
	c.blackhole.suspect(now, c, snd.board.front().Len())
	wasLost := snd.board.lost
	snd.board.timeout(c.lostBefore(now))
	c.trace(now, Event{Kind: LossDetected, Bytes: snd.board.lost, Why: "timeout"})
	snd.resend = true
	c.restartRexmt(now)
	if c.state.synchronized() { // congestion.start sets the window after a lost SYN
		c.cc.timeout(c, snd.board.lost-wasLost)
	}
	c.tlp = tlp{}
}

// backOff counts an expiry of the retransmission or the persist timer, and doubles the next timeout. It returns false if R2 is reached: the
// connection has failed.
func (c *Conn) backOff(now time.Duration) bool {
	snd := &c.snd
	if !snd.stalled {
		snd.stalled, snd.stalledAt = true, now-c.rtt.timeout(c.cfg)
	}
	if c.givenUp(now) {
		c.fail(now, syscall.ETIMEDOUT)
		return false
	}
	snd.retries++
	c.rtt.backoff++
	return true
}

// retriesR1 is R1 of RFC 9293 section 3.8.3.
const retriesR1 = 3

// lostBefore returns the time of sending up to which flights are lost at a timeout. RACK does not take later flights for lost, because their
// ACKs may still arrive (RFC 8985 section 6.3).
func (c *Conn) lostBefore(now time.Duration) time.Duration {
	if !c.sackOK || c.rtt.srtt == 0 {
		return now
	}
	return now - c.rack.rtt - c.rack.window(c)
}

// userTimeoutLeft is the rest of the user timeout since the first retransmission. Without a user timeout, or a retransmission, it is MaxRTO,
// which no RTO exceeds.
func (c *Conn) userTimeoutLeft(now time.Duration) time.Duration {
	if c.params.UserTimeout == 0 || !c.snd.stalled {
		return c.cfg.MaxRTO
	}
	return max(c.params.UserTimeout-(now-c.snd.stalledAt), 1)
}

// givenUp reports whether R2 is reached (RFC 9293 section 3.8.3): a number of retransmissions, and the time that they take with exponential
// backoff. The count alone would come too early, because RTT samples of data beyond a hole end the backoff without filling the hole. As in
// Linux, the user timeout also runs while the peer answers window probes.
func (c *Conn) givenUp(now time.Duration) bool {
	if c.params.UserTimeout > 0 {
		return now-c.snd.stalledAt >= c.params.UserTimeout
	}
	limit := c.cfg.DataRetries
	switch {
	case c.state.synchronized():
	case c.passive && c.params.SynRetries == 0:
		limit = c.cfg.SynAckRetries
	default:
		limit = c.params.Effective(c.cfg).SynRetries
	}
	return c.snd.retries >= limit && now-c.snd.stalledAt >= c.cfg.backedOff(limit)
}

// backedOff is the time until the timeout of the last of so many retransmissions, with MinRTO as the first timeout and exponential backoff.
func (g *Config) backedOff(retries int) (sum time.Duration) {
	for i := range retries + 1 {
		sum += min(g.MinRTO<<min(i, 16), g.MaxRTO)
	}
	return sum
}

// armKeepAlive starts the keep-alive timer anew, or stops it without SO_KEEPALIVE.
func (t *timers) armKeepAlive(now time.Duration, p Params) {
	t.keep, t.keepAlivesUnanswered = 0, 0
	if p.KeepAlive {
		t.keep = now + p.KeepIdle
	}
}

// keepAlive acts on an expiry of the keep-alive timer: it sends a probe, or ends the connection after too many unanswered ones.
func (c *Conn) keepAlive(now time.Duration) {
	if !c.params.KeepAlive {
		return
	}
	p := c.params.Effective(c.cfg)
	if c.snd.una != c.snd.nxt || c.timers.persist != 0 { // retransmissions and window probes detect a dead peer sooner
		c.timers.keep = now + p.KeepIdle
		return
	}
	if next := c.rcv.lastAt + p.KeepIdle; next > now && c.timers.keepAlivesUnanswered == 0 {
		c.timers.keep = next
		return
	}
	if p.UserTimeout == 0 && c.timers.keepAlivesUnanswered >= p.KeepCnt || c.peerSilent(now, p.UserTimeout) {
		c.ack.now, c.reset = false, pendingReset{pending: true, flags: RST | ACK, seq: c.snd.nxt, ack: c.rcv.nxt}
		c.fail(now, syscall.ETIMEDOUT)
		return
	}
	c.timers.keepAlivesUnanswered++
	c.timers.keep = now + p.KeepIntvl
	c.snd.keepAlive = true
}

// peerSilent reports whether a probed peer has sent nothing for the user timeout, which replaces the number of probes (Linux tcp(7)).
func (c *Conn) peerSilent(now, timeout time.Duration) bool {
	return timeout > 0 && c.timers.keepAlivesUnanswered > 0 && now-c.rcv.lastAt >= timeout
}
