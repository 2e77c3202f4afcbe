package tcp

// control sets rate and window by the model (section 5.6).
func (b *bbr) control(c *Conn, s *rateSample) {
	rate := gains[b.state].pacing * b.model.bw * (1 - bbrMargin)
	if b.pipe.reached || rate > c.cc.pace.model {
		c.cc.setModelRate(rate)
	}
	c.cc.cwnd = b.bounded(b.window(c, s), c.snd.mss)
}

// window returns the window before bounds (section 5.6.4.6).
func (b *bbr) window(c *Conn, s *rateSample) int {
	cwnd, most := c.cc.cwnd, b.budget(c, b.bdp(gains[b.state].cwnd, c.snd.mss)+b.model.extraInFlight())
	switch {
	case b.pipe.reached:
		cwnd = min(cwnd+s.acked, most)
	case cwnd < most || b.rate.delivered < uint64(initialWindow(c.snd.mss)):
		cwnd += s.acked
	}
	if b.state == bbrProbeRTT {
		cwnd = min(cwnd, b.probeCwnd(c.snd.mss))
	}
	return cwnd
}

// bounded applies the bounds of the model to the window (section 5.6.4.7).
func (b *bbr) bounded(cwnd, mss int) int {
	most := infinite
	switch b.state {
	case bbrProbeDown, bbrProbeRefill, bbrProbeUp:
		most = b.model.hi
	case bbrProbeCruise, bbrProbeRTT:
		most = b.withHeadroom(mss)
	}
	return max(min(cwnd, most, b.model.lo), bbrMinSegments*mss)
}

// bdp is the bandwidth-delay product times gain, in bytes (section 5.6.4.2).
func (b *bbr) bdp(gain float64, mss int) int {
	if b.min.rtt == bbrUnknown {
		return initialWindow(mss)
	}
	return int(min(gain*b.model.bw*b.min.rtt.Seconds(), infinite-1))
}

// budget increases size so that super-segments and delayed ACKs do not limit sending (sections 5.5.8.1 and 5.6.4.2).
func (b *bbr) budget(c *Conn, size int) int {
	mss := c.snd.mss
	size = max(size, 3*c.cc.pace.quantum(mss), bbrMinSegments*mss)
	if b.state == bbrProbeUp {
		size += 2 * mss
	}
	return size
}

// inFlight is the number of bytes in flight that fill the path without a queue.
func (b *bbr) inFlight(c *Conn) int { return b.budget(c, b.bdp(1, c.snd.mss)) }

// withHeadroom is the upper bound less room for other flows (section 5.3.3.9).
func (b *bbr) withHeadroom(mss int) int {
	hi := b.model.hi
	if hi == infinite {
		return infinite
	}
	return max(hi-max(mss, int(bbrHeadroom*float64(hi))), bbrMinSegments*mss)
}

// probeCwnd is the window in ProbeRTT.
func (b *bbr) probeCwnd(mss int) int {
	return max(b.bdp(gains[bbrProbeRTT].cwnd, mss), bbrMinSegments*mss)
}
