package tcp

import (
	"math"
	"time"
)

// bbr is BBR version 3 (draft-ietf-ccwg-bbr-06, whose section numbers are given here). It models the path by its delivery rate and its minimum
// round-trip time. It sends at that rate and keeps about the product of both in flight. It reduces for losses only if they exceed two per
// cent. Sizes are in bytes, rates in bytes a second.
type bbr struct {
	baseAlgorithm
	state bbrState
	rate  rateSampler
	model bbrModel
	pipe  fullPipe
	cycle bbrCycle
	min   bbrMinRTT

	limited    bool   // the application or the peer's window has limited sending since the last transmission
	idle       bool   // idle_restart: sending has resumed after an idle time
	marked     bool   // congestion marks have arrived since the last ACK
	priorCwnd  int    // prior_cwnd: the window before a recovery or ProbeRTT
	recoveryAt uint64 // rate.delivered when recovery began
	lostEnd    Seq    // end of the last lost flight
	before     bbrBefore
}

// bbrBefore is the model before the first loss of a recovery, for undo.
type bbrBefore struct {
	saved   bool // the other fields are set
	state   bbrState
	reached bool // fullPipe.reached
	bwLo    float64
	hi, lo  int
}

// bbrState is a state of the state machine (section 5.3).
type bbrState uint8

const (
	bbrOff         bbrState = iota // not established
	bbrStartup                     // find the rate of the path by exponential growth
	bbrDrain                       // drain the queue that Startup has built
	bbrProbeDown                   // ProbeBW_DOWN: send below the rate, to leave room for other flows
	bbrProbeCruise                 // ProbeBW_CRUISE: send at the rate
	bbrProbeRefill                 // ProbeBW_REFILL: fill the pipe without building a queue
	bbrProbeUp                     // ProbeBW_UP: send above the rate, to probe for more
	bbrProbeRTT                    // drain the queue, to measure the minimum RTT
)

// gains are the factors of rate and window in each state (section 5.6.1).
var gains = [...]struct{ pacing, cwnd float64 }{
	bbrOff: {1, 1}, bbrStartup: {2.77, 2}, bbrDrain: {0.5, 2},
	bbrProbeDown: {0.9, 2}, bbrProbeCruise: {1, 2}, bbrProbeRefill: {1, 2}, bbrProbeUp: {1.25, 2.25}, bbrProbeRTT: {1, 0.5},
}

// The constants of the draft, with its names where they differ.
const (
	bbrLossThresh   = 0.02
	bbrBeta         = 0.7
	bbrHeadroom     = 0.15
	bbrMargin       = 0.01                   // PacingMarginPercent
	bbrMinSegments  = 4                      // MinPipeCwnd
	bbrStartupLoss  = 6                      // StartupFullLossCnt
	bbrAckedRounds  = 10                     // ExtraAckedFilterLen
	bbrMinRTTLen    = 10 * time.Second       // MinRTTFilterLen
	bbrProbeRTTLen  = 200 * time.Millisecond // ProbeRTTDuration
	bbrProbeRTTGap  = 5 * time.Second        // ProbeRTTInterval
	bbrProbeWait    = 2 * time.Second        // least T_bbr; up to a second is added at random
	bbrRenoRounds   = 63                     // largest T_reno, in rounds
	bbrDrainRounds  = 3
	bbrFullRounds   = 3
	bbrFullIncrease = 1.25
)

// bbrUnknown is the minimum RTT before the first sample.
const bbrUnknown = time.Duration(math.MaxInt64)

// start is section 5.2.1.
func (b *bbr) start(now time.Duration, c *Conn) {
	rtt := c.rtt.srtt
	b.model = bbrModel{bwLo: math.Inf(1), hi: infinite, lo: infinite, extraFrom: now}
	b.min = bbrMinRTT{rtt: bbrUnknown, at: now, probed: bbrUnknown, probedAt: now}
	if rtt > 0 {
		b.min.rtt, b.min.probed = rtt, rtt
	} else {
		rtt = time.Millisecond
	}
	b.cycle.random = uint32(c.snd.iss) | 1
	b.lostEnd = c.snd.iss
	b.state = bbrStartup
	c.cc.setModelRate(gains[bbrStartup].pacing * float64(initialWindow(c.snd.mss)) / rtt.Seconds())
}

// acked is section 5.2.3.
func (b *bbr) acked(now time.Duration, c *Conn, f feedback) {
	if b.state == bbrOff || f.bytes == 0 {
		return
	}
	s := b.rate.acked(now, &f.delivery, c.rtt.min)
	s.windowed = f.limited
	if c.snd.board.empty() {
		b.rate.forget()
	}
	m := &b.model
	m.latest(&s, b.rate.delivered)
	m.signals(&s, b.probing(), c.cc.cwnd)
	m.aggregation(now, &s, c.cc.cwnd, b.pipe.reached)
	b.pipe.check(&s, m.roundStart)
	b.leaveStartup(c, &s)
	b.leaveDrain(now, c)
	b.updateCyclePhase(now, c, &s)
	b.min.update(now, s.rtt)
	b.probeRTT(now, c)
	m.advance(&s)
	b.marked = false
	b.control(c, &s)
}

// sent is section 5.2.2. It also records the transmission of n bytes for the rate samples.
func (b *bbr) sent(now time.Duration, c *Conn, n int) {
	inFlight := c.snd.pipe()
	before := inFlight - n
	if b.limited && c.cc.pace.next <= now && before < c.cc.cwnd {
		b.rate.limit(before)
	}
	b.limited = false
	if before <= 0 && b.rate.limitedUntil != 0 {
		b.restarted(now, c)
	}
	b.rate.sent(now, &c.snd.board, n, inFlight)
}

// appLimited marks the next rate samples as too low, because the application or the peer's window, not the path, limits sending. The draft does
// not include the peer's window; we do, or window probes of one byte would be taken for the rate of the path.
func (b *bbr) appLimited() { b.limited = true }

func (b *bbr) deliveryRate() uint64 { return uint64(b.model.bwLatest) }

func (b *bbr) end() { b.rate.log = nil }

// restarted is section 5.4.1: after an idle time, sending resumes at the rate of the model.
func (b *bbr) restarted(now time.Duration, c *Conn) {
	b.idle = true
	b.model.extraFrom = now
	switch {
	case b.inProbeBW():
		c.cc.setModelRate(b.model.bw * (1 - bbrMargin))
	case b.state == bbrProbeRTT:
		b.probedRTT(now, c)
	}
}

// lost is section 5.2.4.
func (b *bbr) lost(now time.Duration, c *Conn, f *flight) {
	b.rate.lost += uint64(f.Len())
	if b.state == bbrOff {
		return
	}
	b.remember()
	b.model.noteLoss(b.rate.delivered)
	if f.Start != b.lostEnd {
		b.model.lossEvents++
	}
	b.lostEnd = f.End
	t, ok := b.rate.at(f.sent)
	if !ok || !b.cycle.samples {
		return
	}
	s := rateSample{inFlight: t.inFlight, lost: int(b.rate.lost - t.lost), limited: t.limited}
	if b.tooHigh(c, &s) {
		s.inFlight = inFlightAtLoss(&s, f.Len())
		b.backOff(now, c, &s)
	}
}

// inFlightAtLoss estimates the bytes in flight at the point, within a lost flight of size bytes, at which losses exceeded the bound (section
// 5.5.10.2).
func inFlightAtLoss(s *rateSample, size int) int {
	before, lost := float64(s.inFlight-size), float64(s.lost-size)
	return int(before + max(bbrLossThresh*before-lost, 0)/(1-bbrLossThresh))
}

// tooHigh reports whether losses show that too much was in flight (section 5.5.10.2).
func (b *bbr) tooHigh(c *Conn, s *rateSample) bool {
	return float64(s.lost) > float64(s.inFlight)*bbrLossThresh || s.lost > 0 && !c.sackOK
}

// mark treats a congestion mark as losses beyond the bound. The draft leaves the response to implementations; RFC 3168 requires one.
func (b *bbr) mark(*Conn) {
	b.model.noteLoss(b.rate.delivered)
	b.marked = true
}

func (b *bbr) memory() int { return cap(b.rate.log) * transmissionSize }

// enter, leave and timeout are section 5.6.4.4: they save and restore the window.
func (b *bbr) enter(c *Conn, _ int) {
	b.saveCwnd(c)
	b.recoveryAt = b.rate.delivered
}

func (b *bbr) leave(c *Conn) {
	b.restoreCwnd(c)
	b.before.saved = false
}

// remember saves the model before the first loss of a recovery, for undo.
func (b *bbr) remember() {
	if !b.before.saved {
		m := &b.model
		b.before = bbrBefore{true, b.state, b.pipe.reached, m.bwLo, m.hi, m.lo}
	}
}

// undo restores the bounds of the model from before a spurious recovery, and the state if that was Startup or ProbeBW_UP (the draft's
// HandleSpuriousLossDetection).
func (b *bbr) undo(c *Conn) {
	m, was := &b.model, &b.before
	m.lossInRound = false
	b.pipe.reset(0)
	m.bwLo, m.hi, m.lo = max(m.bwLo, was.bwLo), max(m.hi, was.hi), max(m.lo, was.lo)
	if was.state != b.state && b.state != bbrProbeRTT {
		switch was.state {
		case bbrStartup:
			b.state, b.pipe.reached = bbrStartup, was.reached
		case bbrProbeUp:
			b.cycle.samples = true
			b.probeUp(c, &rateSample{})
		}
	}
	was.saved = false
}

func (b *bbr) timeout(c *Conn, lost int) {
	b.saveCwnd(c)
	b.remember()
	b.rate.lost += uint64(lost)
	b.model.noteLoss(b.rate.delivered)
	c.cc.cwnd = c.snd.pipe() + c.snd.mss
}

func (b *bbr) saveCwnd(c *Conn) {
	if c.cc.state == CAOpen && b.state != bbrProbeRTT {
		b.priorCwnd = 0
	}
	b.priorCwnd = max(b.priorCwnd, c.cc.cwnd)
}

func (b *bbr) restoreCwnd(c *Conn) { c.cc.cwnd = max(c.cc.cwnd, b.priorCwnd) }
