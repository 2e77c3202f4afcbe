package tcp

import "time"

// arrivalRTT estimates the round-trip time of a receiver that sends no data: the time from an ACK to the first data that echoes its timestamp
// (RFC 7323 section 3.1). Idle time and losses of the peer increase samples. Therefore a smaller sample replaces the estimate, and a larger
// one moves it by an eighth.
type arrivalRTT struct {
	rtt time.Duration // 0: no sample yet
	at  time.Duration // when the ACK was sent whose echo is expected; 0: none
	val uint32        // TSval of that ACK; without one, the next ACK to be timed must have a later TSval
}

// sent takes an ACK with the TSval val.
func (a *arrivalRTT) sent(now time.Duration, val uint32) {
	if a.at == 0 && int32(val-a.val) > 0 {
		a.at, a.val = now, val
	}
}

// echoed takes the TSecr of a segment with data; val is the current TSval. An echo later than a.val is that of a later ACK: the ACK that was timed
// is lost, or a later one has overtaken it.
func (a *arrivalRTT) echoed(now time.Duration, ecr, val uint32) {
	if a.at == 0 || int32(ecr-a.val) < 0 {
		return
	}
	m := now - a.at
	if ecr != a.val {
		m = min(m, time.Duration(val-ecr+1)*time.Millisecond)
	}
	if a.rtt == 0 || m < a.rtt {
		a.rtt = m
	} else {
		a.rtt += min(m-a.rtt, a.rtt) / 8
	}
	a.at, a.val = 0, val
}

// rcvLimit is the size of the receive buffer in bytes: at least twice SO_RCVLOWAT, at most TCP_WINDOW_CLAMP.
func (c *Conn) rcvLimit() int {
	limit := max(c.rcv.buffer, min(2*c.params.RcvLowat, c.maxReceiveBuffer()))
	if c.params.RcvBuf > 0 {
		limit = c.params.RcvBuf
	}
	if c.params.WindowClamp > 0 {
		limit = min(limit, c.params.WindowClamp)
	}
	return limit
}

// ReachesLowat reports whether at least SO_RCVLOWAT bytes are readable, or the window is so small that the peer cannot send more.
func (c *Conn) ReachesLowat() bool {
	n := c.Available()
	return n >= max(c.params.RcvLowat, 1) || n > 0 && c.rcv.wnd() <= c.rcv.mss
}

// tuneReceiveBuffer follows a read of n bytes. It sets the size of the buffer to eight times the bytes that the user reads in a round trip, so that
// the window does not limit the peer: in slow start the peer sends up to four times as much by the time its next round arrives, and it goes on
// sending while it repairs a loss.
func (c *Conn) tuneReceiveBuffer(now time.Duration, n int) {
	r := &c.rcv
	r.copied += n
	if c.params.RcvBuf > 0 || now-r.roundAt < max(c.rtt.srtt, r.arrival.rtt) {
		return
	}
	r.buffer = max(r.buffer, min(8*r.copied, c.maxReceiveBuffer()))
	r.copied, r.roundAt = 0, now
}

// maxReceiveBuffer bounds the automatic sizing, by the configuration and the window scale.
func (c *Conn) maxReceiveBuffer() int { return min(c.cfg.MaxRcvBuf, 65535<<c.rcv.shift) }
