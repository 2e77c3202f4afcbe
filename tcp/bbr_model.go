package tcp

import (
	"math"
	"time"
)

// bbrModel is the model of the path (section 5.5).
type bbrModel struct {
	bw      float64    // the rate of the model, before gains
	cycleBW [2]float64 // the highest delivery rate of the previous cycle of probing, and of this one
	bwLo    float64    // bw_shortterm: the bound of bw by losses in this cycle
	hi, lo  int        // bounds of the bytes in flight: inflight_longterm, inflight_shortterm

	rounds     int    // rounds so far; a round lasts until data sent after its start is delivered
	roundEnd   uint64 // the round ends when data sent at this value of delivered is delivered
	roundStart bool   // the last ACK has begun a round

	lossRoundEnd   uint64  // the same for the rounds in which losses are counted
	lossRoundStart bool    // the last ACK has begun such a round
	lossInRound    bool    // a flight was lost in it
	lossEvents     int     // contiguous parts of the stream that were lost in it
	bwLatest       float64 // the highest delivery rate in it
	inFlightLatest int     // the most bytes delivered in a round trip in it

	extra       [2]int        // extra_acked: the maxima of the previous and the current filter window
	extraRounds int           // rounds of the current filter window
	extraAcked  int           // bytes delivered since extraFrom
	extraFrom   time.Duration // start of the current interval
}

// maxBW is max_bw: the highest delivery rate of two cycles.
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

// noteLoss begins a loss round at the first loss.
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

// nextCycle begins a cycle in the filter of the delivery rate (section 5.5.6).
func (m *bbrModel) nextCycle() {
	if m.cycleBW[1] > 0 {
		m.cycleBW[0], m.cycleBW[1] = m.cycleBW[1], 0
	}
}

// aggregation measures the bytes that ACKs report beyond those that the rate explains (section 5.5.9). full is fullPipe.reached.
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

// extraInFlight is the room in flight for aggregated ACKs.
func (m *bbrModel) extraInFlight() int { return max(m.extra[0], m.extra[1]) }

// fullPipe detects that the delivery rate no longer grows with the sending rate (section 5.3.1.2).
type fullPipe struct {
	bw           float64 // full_bw: the rate that the next rounds must exceed by a quarter
	rounds       int     // full_bw_count: rounds that have not
	now, reached bool    // full_bw_now, full_bw_reached: the pipe is full; it was full once
}

// check takes a rate sample.
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

// bbrMinRTT is the filter of the minimum RTT, and the state of ProbeRTT (section 5.3.4.3).
type bbrMinRTT struct {
	rtt, at          time.Duration // min_rtt, the minimum of ten seconds, and when it was measured
	probed, probedAt time.Duration // probe_rtt_min_delay, the minimum since the last ProbeRTT, and when it was measured
	expired          bool          // probed is older than five seconds: ProbeRTT is due
	until            time.Duration // end of ProbeRTT; 0: too much is still in flight
	roundDone        bool          // ProbeRTT has lasted a round
}

// update takes an RTT sample; 0: there is none.
func (l *bbrMinRTT) update(now, rtt time.Duration) {
	l.expired = now > l.probedAt+bbrProbeRTTGap
	if rtt > 0 && (rtt < l.probed || l.expired) {
		l.probed, l.probedAt = rtt, now
	}
	if l.probed < l.rtt || now > l.at+bbrMinRTTLen {
		l.rtt, l.at = l.probed, l.probedAt
	}
}
