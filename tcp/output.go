package tcp

import "time"

// Output is the only place that sends. Loss detection (recovery.go) and the retransmission timer (timers.go) only mark flights lost on the
// scoreboard. Output retransmits lost flights, lowest sequence number first, before it sends new data, as far as the congestion window and the
// peer's window allow.

// Output fills in the next segment to send, the most urgent first, and returns true, or false when nothing is due. The caller calls it until it
// returns false: after Input, after every call of the user, and when Deadline has passed. The connection then counts the segment as sent; if
// the caller cannot transmit it, the connection recovers as from any loss.
//
// The caller owns s, and fills in ports and checksum. s.Payload and s.Wrap are parts of the send buffer, valid until the next call of any
// method. Output never sets s.Buffer.
func (c *Conn) Output(now time.Duration, s *Segment) bool {
	c.runTimers(now)
	*s = Segment{}
	why := c.next(now, s)
	if why == "" {
		c.traceChanges(now)
		return false
	}
	if why != "reset" {
		c.stamp(now, s)
	}
	c.count(s)
	if n := s.DataLen(); n > 0 {
		c.cc.sent(now, c, n)
	}
	c.traceSegment(now, Event{Kind: SegmentOut, Why: why}, s)
	return true
}

// next fills in the most urgent segment that is due and returns its reason; "" if none is due.
func (c *Conn) next(now time.Duration, s *Segment) (why string) {
	switch {
	case c.reset.pending:
		c.outputReset(now, s)
		return "reset"
	case c.state == Closed:
		return ""
	case c.retransmit(now, s):
		return "retransmission"
	case c.outputTail(now, s):
		return "tail loss probe"
	case c.outputNew(now, s):
		return "new"
	case c.outputWindowProbe(now, s), c.outputKeepAlive(s):
		return "probe"
	case c.ack.now:
		s.Seq = c.acceptableSeq()
		return "acknowledgment"
	}
	c.armPersist(now)
	return ""
}

// count counts a sent segment.
func (c *Conn) count(s *Segment) {
	c.counts.segsOut++
	c.counts.bytesSent += uint64(s.DataLen())
	c.cfg.Stats.SegsOut.Inc()
	if s.Flags.Has(RST) {
		c.cfg.Stats.RstsOut.Inc()
	}
}

// outputReset sends the pending RST. It carries timestamps if the connection uses them (RFC 7323 section 3.2), so that the peer's checks
// accept it.
func (c *Conn) outputReset(now time.Duration, s *Segment) {
	s.Flags, s.Seq, s.Ack = c.reset.flags, c.reset.seq, c.reset.ack
	c.reset = pendingReset{}
	if o := &s.Options; c.tsOK {
		o.HasTS, o.TSVal = true, c.timestamp(now)
		if s.Flags.Has(ACK) {
			o.TSEcr = c.rcv.tsRecent
		}
	}
}

// retransmit sends the first lost flights again, as far as both windows allow.
func (c *Conn) retransmit(now time.Duration, s *Segment) bool {
	snd := &c.snd
	p, any := snd.board.nextLost()
	if !any || c.cc.holding() && !snd.resend {
		return false
	}
	w := snd.board.at(p).Range
	if w.Start != snd.iss {
		limit := c.payloadLimit()
		w = snd.board.lostFrom(p, limit)
		allowed := c.cc.cwnd - snd.pipe()
		if snd.resend {
			allowed = max(allowed, snd.mss)
		}
		if snd.ownsFin(w) && w.Len() == limit+1 { // the FIN does not count as payload
			limit, allowed = limit+1, allowed+1
		}
		size := min(w.Len(), snd.una.Add(snd.wnd).Sub(w.Start), limit)
		if size < min(w.Len(), snd.mss) && w.Start != snd.una { // a shrinking window must not split flights ever smaller
			return false
		}
		if size <= 0 || allowed < min(size, snd.mss) || !snd.resend && c.paced(now) {
			return false
		}
		if size = min(size, allowed); size < w.Len() && size > snd.mss {
			size -= size % snd.mss
		}
		w.End = w.Start.Add(size)
	}
	snd.resend, snd.lastSent = false, now
	snd.board.resent(p, w.Len(), max(snd.mss, 1), now)
	c.fill(s, w)
	c.countRetransmit(w)
	if c.cc.state != CAOpen {
		c.cc.repair.undo.retransmitted(c, now, w)
	}
	if w.Start == snd.una && !c.keepsTimer(snd.una) {
		c.restartRexmt(now)
	} else {
		c.startRexmt(now)
	}
	return true
}

// countRetransmit counts the retransmission of w.
func (c *Conn) countRetransmit(w Range) {
	c.counts.retransmits++
	c.counts.bytesRetrans += uint64(w.Len())
	c.cfg.Stats.Retransmits.Inc()
}

// payloadLimit is the largest payload of one Output in bytes: a multiple of the MSS.
func (c *Conn) payloadLimit() int {
	limit := min(c.maxPayload, c.cc.pace.quantum(c.snd.mss))
	return max(limit-limit%c.snd.mss, c.snd.mss)
}

// outputNew sends the SYN, new data and the FIN.
func (c *Conn) outputNew(now time.Duration, s *Segment) bool {
	snd := &c.snd
	w := Range{snd.nxt, snd.nxt}
	switch {
	case snd.nxt == snd.iss:
		w.End++
	case c.state.synchronized() && c.state != TimeWait:
		size, fin := c.sizeNew(now)
		if size == 0 && !fin || c.paced(now) {
			return false
		}
		w.End = w.End.Add(size)
		if fin {
			w.End++
		}
	default:
		return false
	}
	unsent := snd.unsent()
	snd.nxt = w.End
	c.wakeNotsent(unsent)
	snd.board.push(w, max(snd.mss, 1), now)
	c.fill(s, w)
	c.ecn.markData(s)
	snd.push = snd.push && snd.unsent() > 0
	snd.persist = persist{}
	snd.lastSent = now
	c.timers.cork, c.timers.persist = 0, 0
	c.startRexmt(now)
	c.tlp.schedule(now, c)
	return true
}

// sizeNew decides how many new bytes to send, and whether the FIN follows them in the same segment.
func (c *Conn) sizeNew(now time.Duration) (size int, fin bool) {
	snd := &c.snd
	avail := snd.unsent()
	if avail == 0 && !snd.finUnsent() {
		snd.limited = false
		c.cc.algorithm.appLimited()
		return 0, false
	}
	if snd.una == snd.nxt && now-snd.lastSent > c.rtt.timeout(c.cfg) {
		c.cc.algorithm.restart(c)
	}
	window := snd.una.Add(snd.wnd).Sub(snd.nxt) // the usable window
	room := c.cc.cwnd - snd.pipe()
	c.noteLimits(avail, window, room)
	size = max(min(avail, window, room, c.payloadLimit()), 0)
	fin = snd.finUnsent() && size == avail && window > size
	if size > snd.mss && !fin && (size < avail || !c.params.NoDelay) {
		size -= size % snd.mss // whole segments first; the windows or Nagle's algorithm delay the rest
	}
	if size > 0 && size < snd.mss && !fin && !c.sendSmall(now, size, avail) {
		return 0, false
	}
	return size, fin
}

// noteLimits records whether the congestion window or the peer's window limits sending.
func (c *Conn) noteLimits(avail, window, room int) {
	snd := &c.snd
	snd.limited = room < min(avail, window, snd.mss)
	if window < min(avail, snd.mss) {
		c.cc.algorithm.appLimited()
	}
}

// sendSmall reports whether to send less than a full-sized segment now. It applies silly window avoidance (RFC 9293 section 3.8.6.2.1),
// Nagle's algorithm (section 3.7.4), TCP_CORK and MSG_MORE.
func (c *Conn) sendSmall(now time.Duration, size, avail int) bool {
	snd := &c.snd
	switch {
	case snd.persist.override:
		return true
	case size < avail: // a window limits the size
		return 2*size >= snd.maxWnd
	case snd.push || snd.urgent:
		return true
	case c.params.Cork || snd.more:
		if c.timers.cork == 0 {
			c.timers.cork = now + 200*time.Millisecond
		}
		return false
	default:
		c.timers.cork = 0
		return c.params.NoDelay || snd.una == snd.nxt || snd.finUnsent()
	}
}

// outputKeepAlive sends a keep-alive probe: an old sequence number without data (RFC 9293 section 3.8.4).
func (c *Conn) outputKeepAlive(s *Segment) bool {
	snd := &c.snd
	if !snd.keepAlive {
		return false
	}
	snd.keepAlive = false
	s.Seq = snd.nxt - 1
	c.cfg.Stats.KeepAlives.Inc()
	return true
}

// acceptableSeq is the sequence number of a segment without data: SND.NXT, or the right edge if the peer's window has shrunk below SND.NXT. Many
// peers ignore the ACK of a segment outside their window.
func (c *Conn) acceptableSeq() Seq {
	snd := &c.snd
	return minSeq(snd.nxt, snd.una.Add(snd.wnd))
}

// fill makes s the segment that carries w: either the SYN, or the data and the FIN within w.
func (c *Conn) fill(s *Segment, w Range) {
	snd := &c.snd
	s.Seq = w.Start
	if w.Start == snd.iss {
		s.Flags = SYN | c.ecn.setup(c)
		c.synOptions(&s.Options)
		return
	}
	size := w.Len()
	if snd.ownsFin(w) {
		s.Flags |= FIN
		size--
	}
	spans := snd.buf.Spans(w.Start.Sub(snd.dataStart()), size)
	s.Payload, s.Wrap = spans[0], spans[1]
	if size > 0 && w.Start.Add(size) == snd.dataEnd() {
		s.Flags |= PSH
	}
	if size > snd.mss {
		s.MSS = snd.mss
	}
	if size > 0 && (c.ack.now || c.timers.delack != 0) {
		c.rcv.dialogue, c.rcv.quick = true, 0
	}
}

// synOptions sets the options that our SYN offers or our SYN,ACK accepts.
func (c *Conn) synOptions(o *Options) {
	o.MSS = uint16(min(c.advMSS, 65535))
	offer := c.state == SynSent
	o.SackPermitted = c.sackOK || offer && !c.cfg.NoSACK
	o.HasTS = c.tsOK || offer && !c.cfg.NoTimestamps
	o.HasScale = c.scaleOK || offer && !c.cfg.NoWindowScale
	o.Scale = c.rcv.shift
}

// stamp fills in the fields that every segment but a RST has: acknowledgment, window, timestamps and SACK blocks.
func (c *Conn) stamp(now time.Duration, s *Segment) {
	o := &s.Options
	if c.tsOK {
		o.HasTS = true
	}
	if o.HasTS {
		o.TSVal, o.TSEcr = c.timestamp(now), c.rcv.tsRecent
	}
	r := &c.rcv
	if s.Flags.Has(SYN) {
		s.Wnd = r.unscaledWindow()
	}
	if c.state == SynSent {
		return
	}
	s.Flags |= ACK
	c.ecn.mark(s)
	c.markUrgent(s)
	s.Ack = r.nxt
	if !s.Flags.Has(SYN) {
		s.Wnd = c.announce()
	}
	if c.sackOK && c.state.synchronized() {
		if room := (min(maxOptionsLen-o.Len(), c.snd.mss-s.DataLen()) - 4) / 8; room > 0 {
			r.sackBlocks(o, min(room, len(o.Sack)))
		}
	}
	if c.tsOK {
		r.arrival.sent(now, o.TSVal)
	}
	c.ack.now = false
	c.timers.delack = 0
	r.unacked, r.lastAck = 0, r.nxt
	r.quick, c.ack.apart = max(r.quick-1, 0), max(c.ack.apart-1, 0)
}

// unscaledWindow is the window field of a SYN (RFC 7323 section 2.2).
func (r *receiver) unscaledWindow() uint16 { return uint16(min(r.wnd(), 65535)) }

// announce moves the right edge as far as the buffer allows and returns the window field. It rounds the window up to a multiple of the scale,
// because rounding down would move the edge left (RFC 7323 section 2.4).
func (c *Conn) announce() uint16 {
	r := &c.rcv
	r.edge = c.newEdge()
	unit := 1 << r.shift
	field := (r.wnd() + unit - 1) / unit
	if field*unit > c.rcvLimit()-r.buf.Len()+unit { // repeated rounding up must not exceed the buffer by more than a unit
		field = r.wnd() / unit
	}
	field = min(field, 65535)
	r.edge = maxSeq(r.edge, r.nxt.Add(field*unit))
	return uint16(field)
}

// timestamp is the clock of our timestamps in milliseconds, with an offset that differs between connections (RFC 7323 section 5.4).
func (c *Conn) timestamp(now time.Duration) uint32 {
	return uint32(now/time.Millisecond) + c.snd.tsOffset
}
