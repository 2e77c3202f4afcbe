package tcp

import "time"

// rtt estimates the round-trip time and the retransmission timeout (RFC 6298).
type rtt struct {
	srtt, rttvar time.Duration // SRTT and RTTVAR; 0: no sample yet
	rto          time.Duration // RTO without backoff
	min          time.Duration // the smallest sample of the connection
	backoff      uint8         // number of doublings of the RTO by backoff
}

const granularity = time.Millisecond // G of RFC 6298

// sample takes an RTT sample. The caller applies Karn's rule (Conn.sampleRTT).
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

// timeout is the RTO with backoff.
func (r *rtt) timeout(cfg *Config) time.Duration {
	return min(r.rto<<min(r.backoff, 16), cfg.MaxRTO)
}
