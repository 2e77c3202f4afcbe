package tcp

import (
	"math"
	"time"
)

// bbr is BBR version 3 (draft-ietf-ccwg-bbr-06, whose section numbers are given here). It keeps a model of the path: the rate at which
// bytes are delivered, and the shortest round trip. It sends at that rate, and keeps in flight what the two make. Losses matter when
// they exceed two per cent. Sizes are in octets, rates in bytes a second.
type bbr struct {
	baseAlgorithm
	state bbrState
	rate  rateSampler
	model bbrModel
	pipe  fullPipe
	cycle bbrCycle
	low   bbrLowest

	limited    bool   // since the last transmission the application or the peer's window limited sending
	idle       bool   // it sends again after all had been acknowledged
	marked     bool   // congestion marks have come
	priorCwnd  int    // before a loss or a probe of the round trip
	recoveryAt uint64 // what had been delivered when recovery began
	lostEnd    Seq    // where what was lost last ends
	before     bbrBefore
}

// bbrBefore is the model before the first loss of a recovery.
type bbrBefore struct {
	saved   bool // the rest is set
	state   bbrState
	reached bool // the pipe had been full
	bwLo    float64
	hi, lo  int
}

// bbrState is what a connection is about (section 5.3).
type bbrState uint8

const (
	bbrOff         bbrState = iota // not established
	bbrStartup                     // find the path's rate, which may be anything
	bbrDrain                       // empty the queue that this has filled
	bbrProbeDown                   // let others have their share
	bbrProbeCruise                 // send at the rate known
	bbrProbeRefill                 // fill the pipe
	bbrProbeUp                     // is there more?
	bbrProbeRTT                    // empty the queue to see how long a round trip is
)

// gains are what rate and window are multiplied with in each state (section 5.6.1).
var gains = [...]struct{ pacing, cwnd float64 }{
	bbrOff: {1, 1}, bbrStartup: {2.77, 2}, bbrDrain: {0.5, 2},
	bbrProbeDown: {0.9, 2}, bbrProbeCruise: {1, 2}, bbrProbeRefill: {1, 2}, bbrProbeUp: {1.25, 2.25}, bbrProbeRTT: {1, 0.5},
}

// The draft's constants, and where they have none there their names.
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
	bbrProbeWait    = 2 * time.Second        // T_bbr, of which up to a second more is drawn
	bbrRenoRounds   = 63                     // T_reno
	bbrDrainRounds  = 3
	bbrFullRounds   = 3
	bbrFullIncrease = 1.25
)

// bbrUnknown is a round trip before there is one.
const bbrUnknown = time.Duration(math.MaxInt64)

// start is section 5.2.1.
func (b *bbr) start(now time.Duration, c *Conn) {
	rtt := c.rtt.srtt
	b.model = bbrModel{bwLo: math.Inf(1), hi: infinite, lo: infinite, extraFrom: now}
	b.low = bbrLowest{rtt: bbrUnknown, at: now, probed: bbrUnknown, probedAt: now}
	if rtt > 0 {
		b.low.rtt, b.low.probed = rtt, rtt
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
	b.cycleOn(now, c, &s)
	b.low.update(now, s.rtt)
	b.probeRTT(now, c)
	m.advance(&s)
	b.marked = false
	b.control(c, &s)
}

// sent is section 5.2.2, and what the measurements need to know of n bytes that go out.
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

// appLimited notes that what is measured of the path is not its rate. (The draft thinks otherwise of the peer's window. But one that is
// probed byte by byte would make a path seem to carry a byte a second.)
func (b *bbr) appLimited() { b.limited = true }

func (b *bbr) deliveryRate() uint64 { return uint64(b.model.bwLatest) }

func (b *bbr) end() { b.rate.log = nil }

// restarted is section 5.4.1: the first bytes after a pause go at the rate known.
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

// lost takes a flight that is taken for lost (section 5.2.4).
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

// inFlightAtLoss is how much was in flight when losses became too many, in the middle of a flight of so many bytes (section 5.5.10.2).
func inFlightAtLoss(s *rateSample, size int) int {
	before, lost := float64(s.inFlight-size), float64(s.lost-size)
	return int(before + max(bbrLossThresh*before-lost, 0)/(1-bbrLossThresh))
}

// tooHigh says whether losses mean that too much was in flight (section 5.5.10.2).
func (b *bbr) tooHigh(c *Conn, s *rateSample) bool {
	return float64(s.lost) > float64(s.inFlight)*bbrLossThresh || s.lost > 0 && !c.sackOK
}

// mark takes a congestion mark as what losses beyond the bound are. The draft leaves marks to implementations, RFC 3168 does not.
func (b *bbr) mark(*Conn) {
	b.model.noteLoss(b.rate.delivered)
	b.marked = true
}

func (b *bbr) memory() int { return cap(b.rate.log) * transmissionSize }

// enter, leave and timeout are section 5.6.4.4.
func (b *bbr) enter(c *Conn, _ int) {
	b.saveCwnd(c)
	b.recoveryAt = b.rate.delivered
}

func (b *bbr) leave(c *Conn) {
	b.restoreCwnd(c)
	b.before.saved = false
}

// remember keeps the model as it is before a recovery, for undo.
func (b *bbr) remember() {
	if !b.before.saved {
		m := &b.model
		b.before = bbrBefore{true, b.state, b.pipe.reached, m.bwLo, m.hi, m.lo}
	}
}

// undo restores the model's bounds from before a spurious recovery, and the state if it probed for more then (the draft's
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

func (b *bbr) timeout(c *Conn, lost int, _ bool) {
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
