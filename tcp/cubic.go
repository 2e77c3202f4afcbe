package tcp

import (
	"math"
	"time"
)

// cubic is the curve of CUBIC (RFC 9438). As in the RFC, windows are in segments.
type cubic struct {
	wMax     float64       // W_max: the window before the last reduction, lowered by fast convergence
	k        float64       // K: seconds from epoch until the curve reaches wMax
	prior    float64       // cwnd_prior: the window before the last reduction
	wEst     float64       // W_est: the window that Reno would have reached
	epoch    time.Duration // t_epoch: start of congestion avoidance, without pauses; 0: not started
	pausedAt time.Duration // since when the application has not filled the window; 0: it fills it
}

// The RFC's constants (sections 4.2, 4.3, 4.6).
const (
	cubicC     = 0.4
	cubicBeta  = 0.7
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

func (cub *cubic) grow(now time.Duration, g growth) int {
	if !g.limited { // the curve pauses while the application does not fill the window (section 5.8)
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

// begin starts congestion avoidance.
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
	// A limited sender can leave up to one segment of the window unused, because segments are whole. flight+mss does not reduce the window further
	// for that (section 4.6 allows cwnd instead of flight).
	return max(int(cubicBeta*float64(min(flight+mss, cwnd))), 2*mss)
}
