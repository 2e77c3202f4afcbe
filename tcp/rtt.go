package tcp

import "time"

// rtt estimates the round-trip time and the retransmission timeout (RFC 6298).
type rtt struct {
	srtt, rttvar time.Duration
	rto          time.Duration // before backoff
	min          time.Duration // smallest sample of the connection
	backoff      uint8         // doublings in force
}

const granularity = time.Millisecond // G of RFC 6298

// sample takes a measurement of a segment that was sent once, or that timestamps tell apart (Karn's rule).
func (r *rtt) sample(m time.Duration, cfg *Config) {
	m = max(m, time.Microsecond)
	if r.srtt == 0 {
		r.srtt, r.rttvar, r.min = m, m/2, m
	} else {
		r.rttvar += ((r.srtt - m).Abs() - r.rttvar) / 4
		r.srtt += (m - r.srtt) / 8
		r.min = min(r.min, m)
	}
	r.rto = min(r.srtt+max(granularity, 4*r.rttvar, cfg.MinRTO), cfg.MaxRTO)
	r.backoff = 0
}

// timeout is the time to wait before the next retransmission.
func (r *rtt) timeout(cfg *Config) time.Duration {
	return min(r.rto<<min(r.backoff, 16), cfg.MaxRTO)
}
