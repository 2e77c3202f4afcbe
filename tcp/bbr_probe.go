package tcp

import "time"

// bbrCycle is the state of ProbeBW, which cycles through Down, Cruise, Refill and Up (section 5.3.3).
type bbrCycle struct {
	began  time.Duration // start of the cycle in ProbeBW_DOWN
	wait   time.Duration // time from began until the next probe for bandwidth
	rounds int           // rounds since the last probe
	phase  ackPhase

	samples       bool // bw_probe_samples: ACKs report data that was sent in a probe
	tooHigh       bool // the last probe lost too much
	precautionary bool // this probe has stopped early, because the last one lost too much

	upRounds int // rounds in ProbeBW_UP
	upAcked  int // bytes acknowledged since the upper bound grew
	upPerInc int // bytes to be acknowledged for each segment by which the upper bound grows

	drainFrom int    // the round in which Drain began
	random    uint32 // state of draw
}

// ackPhase is the data that arriving ACKs report, relative to a probe (ack_phase).
type ackPhase uint8

const (
	acksInit          ackPhase = iota // data sent outside a probe
	acksRefilling                     // data sent before ProbeBW_REFILL, while that lasts
	acksProbeStarting                 // data sent before ProbeBW_UP, while that lasts
	acksProbeFeedback                 // data sent in ProbeBW_UP, while that lasts
	acksProbeStopping                 // data sent in the probe, after its end
)

// inProbeBW reports whether the state is one of ProbeBW.
func (b *bbr) inProbeBW() bool { return b.state >= bbrProbeDown && b.state <= bbrProbeUp }

// probing reports whether the connection sends faster than the model's rate, to find more bandwidth.
func (b *bbr) probing() bool {
	return b.state == bbrStartup || b.state == bbrProbeRefill || b.state == bbrProbeUp
}

// leaveStartup is sections 5.3.1.1 and 5.3.1.3.
func (b *bbr) leaveStartup(c *Conn, s *rateSample) {
	if b.state != bbrStartup {
		return
	}
	m := &b.model
	lossy := c.cc.state == CARecovery && (!c.sackOK ||
		m.lossRoundStart && s.prior >= b.recoveryAt && m.lossEvents >= bbrStartupLoss && b.tooHigh(c, s))
	if lossy || b.marked {
		b.pipe.reached = true
		m.hi = max(b.bdp(1, c.snd.mss), m.inFlightLatest)
	}
	if b.pipe.reached {
		b.state, b.cycle.drainFrom = bbrDrain, m.rounds
	}
}

// leaveDrain is section 5.3.2.
func (b *bbr) leaveDrain(now time.Duration, c *Conn) {
	if b.state == bbrDrain && (c.snd.pipe() <= b.inFlight(c) || b.model.rounds > b.cycle.drainFrom+bbrDrainRounds) {
		b.probeDown(now)
	}
}

// updateCyclePhase is UpdateProbeBWCyclePhase of section 5.3.3.9.
func (b *bbr) updateCyclePhase(now time.Duration, c *Conn, s *rateSample) {
	if b.model.roundStart {
		b.cycle.rounds++
	}
	if !b.pipe.reached || b.adaptLongTerm(now, c, s) {
		return
	}
	switch b.state {
	case bbrProbeDown, bbrProbeCruise:
		switch {
		case b.timeToProbe(now, c):
			b.probeRefill()
		case b.state == bbrProbeDown && c.snd.pipe() <= min(b.withHeadroom(c.snd.mss), b.inFlight(c)):
			b.state = bbrProbeCruise
		}
	case bbrProbeRefill:
		if b.model.roundStart {
			b.cycle.samples = true
			b.probeUp(c, s)
		}
	case bbrProbeUp:
		if b.timeToGoDown(c, s) {
			b.cycle.tooHigh = false
			b.probeDown(now)
		}
	}
}

// probeDown enters ProbeBW_DOWN.
func (b *bbr) probeDown(now time.Duration) {
	y := &b.cycle
	b.model.resetSignals()
	y.upPerInc = infinite
	y.rounds = int(b.draw() & 1)
	y.wait = bbrProbeWait + time.Duration(b.draw()%1000)*time.Millisecond
	y.began, y.phase = now, acksProbeStopping
	b.model.startRound(b.rate.delivered)
	b.state = bbrProbeDown
}

// probeRefill enters ProbeBW_REFILL.
func (b *bbr) probeRefill() {
	y := &b.cycle
	b.model.resetShortTerm()
	y.upRounds, y.upAcked, y.precautionary, y.phase = 0, 0, false, acksRefilling
	b.model.startRound(b.rate.delivered)
	b.state = bbrProbeRefill
}

// probeUp enters ProbeBW_UP.
func (b *bbr) probeUp(c *Conn, s *rateSample) {
	b.cycle.phase = acksProbeStarting
	b.model.startRound(b.rate.delivered)
	b.pipe.reset(s.rate)
	b.state = bbrProbeUp
	b.raiseSlope(c)
}

// draw returns a pseudo-random number (xorshift). Its seed is the ISS, so that connections do not probe at the same time.
func (b *bbr) draw() uint32 {
	r := &b.cycle.random
	*r ^= *r << 13
	*r ^= *r >> 17
	*r ^= *r << 5
	return *r
}

// timeToProbe reports whether a probe for bandwidth is due: every two to three seconds, or as often as a Reno flow would have a loss (section
// 5.3.3.8).
func (b *bbr) timeToProbe(now time.Duration, c *Conn) bool {
	return now > b.cycle.began+b.cycle.wait || b.cycle.rounds >= min(b.target(c)/c.snd.mss, bbrRenoRounds)
}

// target is the intended number of bytes in flight: the bandwidth-delay product, at most the window.
func (b *bbr) target(c *Conn) int { return min(b.bdp(1, c.snd.mss), c.cc.cwnd) }

// timeToGoDown reports whether ProbeBW_UP ends: after too many losses in the last probe, or when the pipe is full.
func (b *bbr) timeToGoDown(c *Conn, s *rateSample) bool {
	switch {
	case b.cycle.tooHigh && c.snd.pipe() >= b.model.hi:
		b.cycle.precautionary = true
		return true
	case s.windowed && c.cc.cwnd >= b.model.hi: // the bound, not the path, limits the growth
		b.pipe.reset(s.rate)
		return false
	}
	return b.pipe.now
}

// adaptLongTerm updates the ack phase and the upper bound (AdaptLongTermModel of section 5.3.3.9). It returns true if it changed the state.
func (b *bbr) adaptLongTerm(now time.Duration, c *Conn, s *rateSample) bool {
	y, m := &b.cycle, &b.model
	if y.phase == acksProbeStarting && m.roundStart {
		y.phase = acksProbeFeedback
	}
	if y.phase == acksProbeStopping && m.roundStart {
		y.samples, y.phase = false, acksInit
		if b.inProbeBW() && !s.limited {
			m.nextCycle()
		}
		if b.inProbeBW() && y.precautionary && !y.tooHigh {
			b.probeRefill()
			return true
		}
	}
	if b.marked && y.samples {
		b.backOff(now, c, s)
		return true
	}
	if m.hi < infinite && !b.tooHigh(c, s) {
		m.hi = max(m.hi, s.inFlight)
		if b.state == bbrProbeUp {
			b.raiseBound(c, s)
		}
	}
	return false
}

// backOff lowers the upper bound after a probe with too many losses (section 5.5.10.2).
func (b *bbr) backOff(now time.Duration, c *Conn, s *rateSample) {
	b.cycle.tooHigh, b.cycle.samples = true, false
	if !s.limited {
		b.model.hi = max(s.inFlight, int(float64(b.target(c))*bbrBeta))
	}
	if b.state == bbrProbeUp {
		b.probeDown(now)
	}
}

// raiseSlope doubles the growth of the upper bound per round.
func (b *bbr) raiseSlope(c *Conn) {
	b.cycle.upPerInc = max(c.cc.cwnd>>b.cycle.upRounds, c.snd.mss)
	b.cycle.upRounds = min(b.cycle.upRounds+1, 30)
}

// raiseBound increases the upper bound if it limits sending.
func (b *bbr) raiseBound(c *Conn, s *rateSample) {
	if !s.windowed || c.cc.cwnd < b.model.hi {
		return
	}
	y := &b.cycle
	y.upAcked += s.acked
	if n := y.upAcked / y.upPerInc; n > 0 {
		y.upAcked -= n * y.upPerInc
		b.model.hi += n * c.snd.mss
	}
	if b.model.roundStart {
		b.raiseSlope(c)
	}
}

// probeRTT is CheckProbeRTT of section 5.3.4.3.
func (b *bbr) probeRTT(now time.Duration, c *Conn) {
	l := &b.min
	if b.state != bbrProbeRTT && l.expired && !b.idle {
		b.saveCwnd(c)
		b.state, l.until, b.cycle.phase = bbrProbeRTT, 0, acksProbeStopping
		b.model.startRound(b.rate.delivered)
	}
	b.idle = false
	if b.state != bbrProbeRTT {
		return
	}
	pipe := c.snd.pipe()
	b.rate.limit(pipe) // the small window, not the path, limits the rate
	switch {
	case l.until == 0 && pipe <= b.probeCwnd(c.snd.mss):
		l.until, l.roundDone = now+bbrProbeRTTLen, false
		b.model.startRound(b.rate.delivered)
	case l.until != 0:
		l.roundDone = l.roundDone || b.model.roundStart
		if l.roundDone {
			b.probedRTT(now, c)
		}
	}
}

// probedRTT ends ProbeRTT if its time is over (section 5.3.4.4).
func (b *bbr) probedRTT(now time.Duration, c *Conn) {
	if b.min.until == 0 || now <= b.min.until {
		return
	}
	b.min.probedAt = now
	b.restoreCwnd(c)
	b.model.resetShortTerm()
	b.state = bbrStartup
	if b.pipe.reached {
		b.probeDown(now)
		b.state = bbrProbeCruise
	}
}
