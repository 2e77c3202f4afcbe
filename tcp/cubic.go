package tcp

import (
	"math"
	"time"
)

// cubic is CUBIC (RFC 9438). Windows are counted in segments here, as in the RFC.
type cubic struct {
	wMax     float64       // the window before the last reduction
	k        float64       // seconds until the curve is back at wMax
	prior    float64       // the same, before fast convergence lowered it
	wEst     float64       // what Reno would have reached
	epoch    time.Duration // when congestion avoidance began; 0: it has not
	pausedAt time.Duration // since when the application has not filled the window; 0: it does
}

// The RFC's constants (sections 4.2, 4.3, 4.6).
const (
	cubicC     = 0.4
	cubicBeta  = 0.7
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

func (q *cubic) grow(now time.Duration, g growth) int {
	if !g.limited { // time without use of the window does not count (section 5.8)
		if q.pausedAt == 0 {
			q.pausedAt = now
		}
		return g.cwnd
	}
	if q.pausedAt != 0 && q.epoch != 0 {
		q.epoch += now - q.pausedAt
	}
	q.pausedAt = 0
	mss := float64(g.mss)
	cwnd := float64(g.cwnd) / mss
	if q.epoch == 0 {
		q.begin(now, cwnd)
	}
	acked := float64(g.acked) / mss
	q.wEst += cubicAlpha * acked / cwnd // section 4.3
	if q.wEst >= q.prior {
		q.wEst += (1 - cubicAlpha) * acked / cwnd
	}
	t := (now - q.epoch + g.srtt).Seconds()
	target := min(max(cubicC*math.Pow(t-q.k, 3)+q.wMax, cwnd), 1.5*cwnd) // section 4.2
	next := max(cwnd+(target-cwnd)/cwnd*acked, q.wEst)
	return int(min(next, 1.5*cwnd) * mss)
}

func (q *cubic) begin(now time.Duration, cwnd float64) {
	q.epoch = now
	q.wEst = cwnd
	if q.wMax < cwnd {
		q.wMax = cwnd
	}
	q.k = math.Cbrt((q.wMax - cwnd) / cubicC)
}

// reduce is sections 4.6 and 4.7.
func (q *cubic) reduce(cwnd, flight, mss int) int {
	w := float64(cwnd) / float64(mss)
	q.prior = w
	if w < q.wMax { // fast convergence
		q.wMax = w * (1 + cubicBeta) / 2
	} else {
		q.wMax = w
	}
	q.epoch, q.pausedAt = 0, 0
	// What a window in use holds beyond whole segments is no reason to step back further (section 4.6 allows cwnd here).
	return max(int(cubicBeta*float64(min(flight+mss, cwnd))), 2*mss)
}
