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

func (cub *cubic) grow(now time.Duration, g growth) int {
	if !g.limited { // time without use of the window does not count (section 5.8)
		if cub.pausedAt == 0 {
			cub.pausedAt = now
		}
		return g.cwnd
	}
	if cub.pausedAt != 0 && cub.epoch != 0 {
		cub.epoch += now - cub.pausedAt
	}
	cub.pausedAt = 0
	mss := float64(g.mss)
	cwnd := float64(g.cwnd) / mss
	if cub.epoch == 0 {
		cub.begin(now, cwnd)
	}
	acked := float64(g.acked) / mss
	cub.wEst += cubicAlpha * acked / cwnd // section 4.3
	if cub.wEst >= cub.prior {
		cub.wEst += (1 - cubicAlpha) * acked / cwnd
	}
	t := (now - cub.epoch + g.srtt).Seconds()
	target := min(max(cubicC*math.Pow(t-cub.k, 3)+cub.wMax, cwnd), 1.5*cwnd) // section 4.2
	next := max(cwnd+(target-cwnd)/cwnd*acked, cub.wEst)
	return int(min(next, 1.5*cwnd) * mss)
}

func (cub *cubic) begin(now time.Duration, cwnd float64) {
	cub.epoch = now
	cub.wEst = cwnd
	if cub.wMax < cwnd {
		cub.wMax = cwnd
	}
	cub.k = math.Cbrt((cub.wMax - cwnd) / cubicC)
}

// reduce is sections 4.6 and 4.7.
func (cub *cubic) reduce(cwnd, flight, mss int) int {
	w := float64(cwnd) / float64(mss)
	cub.prior = w
	if w < cub.wMax { // fast convergence
		cub.wMax = w * (1 + cubicBeta) / 2
	} else {
		cub.wMax = w
	}
	cub.epoch, cub.pausedAt = 0, 0
	// What a window in use holds beyond whole segments is no reason to step back further (section 4.6 allows cwnd here).
	return max(int(cubicBeta*float64(min(flight+mss, cwnd))), 2*mss)
}
