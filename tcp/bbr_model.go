package tcp

import (
	"math"
	"time"
)

// bbrModel is what BBR knows of the path (section 5.5).
type bbrModel struct {
	bw      float64    // the rate to send at, before gains
	cycleBW [2]float64 // the highest delivery rate of the last cycle of probing, and of this one
	bwLo    float64    // what losses since then suggest: bw_shortterm
	hi, lo  int        // bounds of what is in flight: inflight_longterm, inflight_shortterm

	rounds     int // a round ends when what was sent after it began is acknowledged
	roundEnd   uint64
	roundStart bool // one has just begun

	lossRoundEnd   uint64 // the same for rounds in which losses are counted
	lossRoundStart bool
	lossInRound    bool
	lossEvents     int     // stretches of sequence numbers
	bwLatest       float64 // the highest of the round
	inFlightLatest int

	extra       [2]int // extra_acked, the highest of two stretches of rounds
	extraRounds int    // of the second
	extraAcked  int
	extraFrom   time.Duration
}

func (m *bbrModel) maxBW() float64 { return max(m.cycleBW[0], m.cycleBW[1]) }

// startRound begins a round.
func (m *bbrModel) startRound(delivered uint64) { m.roundEnd = delivered }

// latest is UpdateLatestDeliverySignals of section 5.5.10.3 and UpdateRound of section 5.5.1.
func (m *bbrModel) latest(s *rateSample, delivered uint64) {
	m.bwLatest = max(m.bwLatest, s.rate)
	m.inFlightLatest = max(m.inFlightLatest, s.delivered)
	m.lossRoundStart = s.prior >= m.lossRoundEnd
	if m.lossRoundStart {
		m.lossRoundEnd = delivered
	}
	m.roundStart = s.prior >= m.roundEnd
	if m.roundStart {
		m.startRound(delivered)
		m.rounds++
	}
}

// signals is UpdateCongestionSignals of section 5.5.10.3.
func (m *bbrModel) signals(s *rateSample, probing bool, cwnd int) {
	if s.rate >= m.maxBW() || !s.limited {
		m.cycleBW[1] = max(m.cycleBW[1], s.rate)
	}
	if !m.lossRoundStart {
		return
	}
	if m.lossInRound && !probing {
		if math.IsInf(m.bwLo, 1) {
			m.bwLo = m.maxBW()
		}
		if m.lo == infinite {
			m.lo = cwnd
		}
		m.bwLo = max(m.bwLatest, bbrBeta*m.bwLo)
		m.lo = max(m.inFlightLatest, int(bbrBeta*float64(m.lo)))
	}
	m.lossInRound = false
}

// noteLoss begins a round at the first loss.
func (m *bbrModel) noteLoss(delivered uint64) {
	if !m.lossInRound {
		m.lossRoundEnd = delivered
	}
	m.lossInRound = true
}

// advance is AdvanceLatestDeliverySignals and BoundBWForModel.
func (m *bbrModel) advance(s *rateSample) {
	if m.lossRoundStart {
		m.bwLatest, m.inFlightLatest = s.rate, s.delivered
		m.lossEvents = 0
	}
	m.bw = min(m.maxBW(), m.bwLo)
}

func (m *bbrModel) resetSignals() { m.lossInRound, m.bwLatest, m.inFlightLatest = false, 0, 0 }

func (m *bbrModel) resetShortTerm() { m.bwLo, m.lo = math.Inf(1), infinite }

// nextCycle lets the highest rate of the cycle before the last be forgotten (section 5.5.6).
func (m *bbrModel) nextCycle() {
	if m.cycleBW[1] > 0 {
		m.cycleBW[0], m.cycleBW[1] = m.cycleBW[1], 0
	}
}

// aggregation follows by how much more is acknowledged at once than the rate explains (section 5.5.9).
func (m *bbrModel) aggregation(now time.Duration, s *rateSample, cwnd int, full bool) {
	expected := m.bw * (now - m.extraFrom).Seconds()
	if float64(m.extraAcked) <= expected {
		m.extraAcked, m.extraFrom, expected = 0, now, 0
	}
	m.extraAcked += s.acked
	stretch := 1
	if full {
		stretch = bbrAckedRounds / 2
	}
	if m.roundStart {
		m.extraRounds++
	}
	if m.extraRounds >= stretch {
		m.extra[0], m.extra[1], m.extraRounds = m.extra[1], 0, 0
	}
	m.extra[1] = max(m.extra[1], min(m.extraAcked-int(expected), cwnd))
}

func (m *bbrModel) extraInFlight() int { return max(m.extra[0], m.extra[1]) }

// fullPipe looks for the end of growth while the rate is pushed up (section 5.3.1.2).
type fullPipe struct {
	bw           float64 // to be exceeded by a quarter
	rounds       int     // without that
	now, reached bool    // the pipe is full; it has been once
}

func (p *fullPipe) check(s *rateSample, roundStart bool) {
	switch {
	case p.now || !roundStart || s.limited || s.rate == 0:
	case s.rate >= p.bw*bbrFullIncrease:
		p.reset(s.rate)
	default:
		p.rounds++
		p.now = p.rounds >= bbrFullRounds
		p.reached = p.reached || p.now
	}
}

func (p *fullPipe) reset(bw float64) { p.bw, p.rounds, p.now = bw, 0, false }

// bbrLowest is the shortest round trip (section 5.3.4.3).
type bbrLowest struct {
	rtt, at          time.Duration // of ten seconds, and when it was measured
	probed, probedAt time.Duration // of those since it was last looked for
	expired          bool          // that was five seconds ago: time for ProbeRTT
	until            time.Duration // which lasts until then; 0: what is in flight is still too much
	roundDone        bool          // and for a round
}

// update takes a round trip; 0: none was measured.
func (l *bbrLowest) update(now, rtt time.Duration) {
	l.expired = now > l.probedAt+bbrProbeRTTGap
	if rtt > 0 && (rtt < l.probed || l.expired) {
		l.probed, l.probedAt = rtt, now
	}
	if l.probed < l.rtt || now > l.at+bbrMinRTTLen {
		l.rtt, l.at = l.probed, l.probedAt
	}
}
