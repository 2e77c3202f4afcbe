package tcp

// ECN is the use of Explicit Congestion Notification (RFC 3168) by the connections of a stack, like Linux's tcp_ecn.
type ECN uint8

const (
	ECNAccept  ECN = iota // accept ECN when the peer requests it; the default
	ECNRequest            // request it too
	ECNOff                // neither accept nor request it
)

// ecn is the state of Explicit Congestion Notification.
type ecn struct {
	offered bool // our SYN requested ECN
	ok      bool // both ends have agreed on ECN
	echo    bool // a CE mark has arrived: each segment carries ECE until one with CWR arrives
	reduced bool // we have reduced the window: the next segment with new data carries CWR
	until   Seq  // no further reduction until this is acknowledged: one per window of data
}

// setup returns the flags by which a SYN requests ECN or a SYN,ACK accepts it. A retransmitted SYN does not request it, because some paths
// drop SYNs with ECE and CWR (RFC 3168 section 6.1.1.1).
func (e *ecn) setup(c *Conn) Flags {
	switch {
	case c.state == SynSent:
		e.offered = c.cfg.ECN == ECNRequest && c.snd.retries == 0
		if e.offered {
			return ECE | CWR
		}
	case e.ok:
		return ECE
	}
	return 0
}

// negotiate takes the answer of the peer's SYN or SYN,ACK (RFC 3168 section 6.1.1).
func (e *ecn) negotiate(c *Conn, syn *Segment) {
	if syn.Flags.Has(ACK) {
		e.ok = e.offered && syn.Flags&(ECE|CWR) == ECE
	} else {
		e.ok = c.cfg.ECN != ECNOff && syn.Flags.Has(ECE|CWR)
	}
}

// received takes the CE mark and the CWR flag of an accepted segment (RFC 3168 section 6.1.3).
func (e *ecn) received(c *Conn, s *Segment) {
	if !e.ok {
		return
	}
	if s.Flags.Has(CWR) {
		e.echo = false
	}
	if s.CE && !e.echo {
		e.echo = true
		c.ack.now = true
	}
}

// echoed takes the ECE flag of an ACK. It reduces the window, once per window of data (RFC 3168 section 6.1.2).
func (e *ecn) echoed(c *Conn, s *Segment) {
	if !e.ok || s.Flags&(ECE|SYN) != ECE || c.snd.una.Less(e.until) {
		return
	}
	c.cc.cannotUndo() // the path is congested, even if no segment was lost
	if c.cc.state != CAOpen {
		return
	}
	e.until, e.reduced = c.snd.nxt, true
	c.cc.algorithm.mark(c)
}

// mark sets ECE in a segment to be sent while a CE mark is to be echoed (RFC 3168 section 6.1.3).
func (e *ecn) mark(s *Segment) {
	if e.ok && e.echo && !s.Flags.Has(SYN) {
		s.Flags |= ECE
	}
}

// markData marks a segment with new data as ECN-capable, and sets CWR after a reduction of the window (RFC 3168 section 6.1.2). Pure ACKs,
// retransmissions and window probes are not ECN-capable (sections 6.1.4 to 6.1.6).
func (e *ecn) markData(s *Segment) {
	if !e.ok || s.DataLen() == 0 {
		return
	}
	s.ECT = true
	if e.reduced {
		s.Flags |= CWR
		e.reduced = false
	}
}
