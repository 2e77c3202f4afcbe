package tcp

// ECN is whether connections use Explicit Congestion Notification (RFC 3168), as Linux's tcp_ecn says it.
type ECN uint8

const (
	ECNAccept  ECN = iota // when the peer asks for it; the default
	ECNRequest            // ask for it too
	ECNOff
)

// ecn is the connection's part in Explicit Congestion Notification.
type ecn struct {
	offered bool // our SYN asked
	ok      bool // negotiated
	echo    bool // a CE mark arrived: every ACK says so until the peer has reduced its window
	reduced bool // we have: the next new data says so
	until   Seq  // one reduction per window of data: none before this is acknowledged
}

// setup makes a SYN ask for ECN, or a SYN,ACK agree. A SYN sent again goes without, for some paths drop it (RFC 3168
// section 6.1.1.1).
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

// negotiate reads what the peer's SYN or SYN,ACK says (RFC 3168 section 6.1.1).
func (e *ecn) negotiate(c *Conn, syn *Segment) {
	if syn.Flags.Has(ACK) {
		e.ok = e.offered && syn.Flags&(ECE|CWR) == ECE
	} else {
		e.ok = c.cfg.ECN != ECNOff && syn.Flags.Has(ECE|CWR)
	}
}

// received follows marks and the peer's CWR (RFC 3168 section 6.1.3).
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

// echoed reduces the window, once per window of data, when the peer reports a mark (RFC 3168 section 6.1.2).
func (e *ecn) echoed(c *Conn, s *Segment) {
	if !e.ok || s.Flags&(ECE|SYN) != ECE || c.snd.una.Less(e.until) {
		return
	}
	c.cc.cannotUndo() // the network is congested, whatever was lost
	if c.cc.state != CAOpen {
		return
	}
	e.until, e.reduced = c.snd.nxt, true
	c.cc.algorithm.mark(c)
}

// mark sets the bits of a segment to be sent: ECT only on new data (RFC 3168 sections 6.1.4 to 6.1.6).
func (e *ecn) mark(s *Segment, fresh bool) {
	if !e.ok || s.Flags.Has(SYN) {
		return
	}
	if e.echo {
		s.Flags |= ECE
	}
	if fresh && s.DataLen() > 0 {
		s.ECT = true
		if e.reduced {
			s.Flags |= CWR
			e.reduced = false
		}
	}
}
