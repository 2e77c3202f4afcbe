package tcp

import "time"

// arrivalRTT is the round-trip time as a receiver sees it, which sends nothing that would be acknowledged: from an acknowledgment
// to the first data that echoes its timestamp (RFC 7323 section 3.1). A peer that had nothing to send for a while, or whose
// segments were lost, makes one sample too large, so that small ones count at once and large ones little by little.
type arrivalRTT struct {
	rtt time.Duration // 0: none yet
	at  time.Duration // when an acknowledgment went out whose echo is waited for; 0: none
	val uint32        // its TSval; without one, the last that cannot be told from older ones
}

// sent notes an acknowledgment.
func (a *arrivalRTT) sent(now time.Duration, val uint32) {
	if a.at == 0 && int32(val-a.val) > 0 {
		a.at, a.val = now, val
	}
}

// echoed takes a timestamp that came with data; val is what we would send now. An echo that is younger than the acknowledgment waited for
// answers a later one: the first was lost, or overtaken on the way.
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

// rcvLimit is the size of the receive buffer in octets: at least twice SO_RCVLOWAT, at most TCP_WINDOW_CLAMP.
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

// ReachesLowat says whether what can be read reaches SO_RCVLOWAT, or the peer can send no more before it is read.
func (c *Conn) ReachesLowat() bool {
	n := c.Readable()
	return n >= max(c.params.RcvLowat, 1) || n > 0 && c.rcv.wnd() <= c.rcv.mss
}

// tuneReceiveBuffer lets the buffer grow with what the user takes in a round trip, so that the window never limits a peer
// that could send faster: one in slow start has sent four times that when its next round arrives, and goes on sending
// while it repairs a loss.
func (c *Conn) tuneReceiveBuffer(now time.Duration, n int) {
	r := &c.rcv
	r.copied += n
	if c.params.RcvBuf > 0 || now-r.roundAt < max(c.rtt.srtt, r.arrival.rtt) {
		return
	}
	r.buffer = max(r.buffer, min(8*r.copied, c.maxReceiveBuffer()))
	r.copied, r.roundAt = 0, now
}

func (c *Conn) maxReceiveBuffer() int { return min(c.cfg.MaxRcvBuf, 65535<<c.rcv.shift) }
