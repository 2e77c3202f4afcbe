package tcp

import (
	"time"

	"tunstack/internal/packet"
)

// receiver is the receiving half (RFC 9293 section 3.3.1).
type receiver struct {
	nxt    Seq // RCV.NXT
	edge   Seq // the right edge we have announced; RCV.WND is edge - nxt
	irs    Seq
	shift  uint8        // our window scale
	queue  packet.Queue // for the user to read
	gaps   gaps
	fin    Seq  // where the peer's FIN stands
	hasFin bool // it has arrived, perhaps ahead of data
	closed bool // RCV.NXT has passed it: the stream is at its end
	shut   bool // the user has shut down reading
	shutAt Seq  // then: RCV.NXT at that time, the end of the readable bytes

	urgent  urgent
	oob     byte // an urgent byte that was taken out of the stream
	oobHeld bool // and not read

	quick    int8 // acknowledgments still to be sent without delay
	dialogue bool // the user replies to what arrives: acknowledgments can ride on the replies
	mss      int  // largest payload seen, at most the MSS we announced: RMSS
	unacked  int  // bytes received since the last acknowledgment
	lastAt   time.Duration
	lastAck  Seq // Last.ACK.sent of RFC 7323
	tsRecent uint32

	tsRecentAt time.Duration
	dsack      Range // a duplicate to report in the next ACK (RFC 2883)

	buffer  int           // size the automatic sizing has reached
	copied  int           // bytes the user took in this round
	roundAt time.Duration // when the round began
	arrival arrivalRTT
}

// start sets the first sequence number expected, keeping the announced window.
func (r *receiver) start(nxt Seq) {
	wnd := r.edge.Sub(r.nxt)
	r.irs, r.nxt, r.lastAck = nxt.Add(-1), nxt, nxt
	r.edge = nxt.Add(wnd)
	r.quick = quickAcks
}

// openWindow sets the window of a connection that has not received anything. It fits an unscaled header field until the handshake is over.
func (r *receiver) openWindow(limit int) { r.edge = r.nxt.Add(min(limit, 65535)) }

func (r *receiver) limitUnscaled() { r.edge = r.nxt.Add(min(r.wnd(), 65535)) }

// wnd is RCV.WND in bytes.
func (r *receiver) wnd() int { return r.edge.Sub(r.nxt) }

// release frees the bytes that the user has not read.
func (r *receiver) release() {
	r.queue.Release()
	r.gaps.release()
	r.urgent, r.oobHeld = urgent{}, false
}

// receiveData queues the bytes of a segment, which has passed the sequence check (RFC 9293 section 3.10.7.4, seventh).
func (c *Conn) receiveData(now time.Duration, s *Segment) {
	r := &c.rcv
	r.mss = max(r.mss, min(len(s.Payload), c.advMSS))
	if c.tsOK && s.Options.HasTS && r.gaps.end(r.nxt).LessEq(s.Seq) { // what was sent again comes after a wait of the peer's
		r.arrival.echoed(now, s.Options.TSEcr, c.timestamp(now))
	}
	w := Range{s.Seq, s.Seq.Add(len(s.Payload))}
	if w.Start.Less(r.nxt) { // the front has been received before
		c.reportDuplicate(Range{w.Start, minSeq(w.End, r.nxt)})
		w.Start = r.nxt
	}
	w.End = minSeq(w.End, r.edge)
	if r.hasFin { // nothing can follow
		w.End = minSeq(w.End, r.fin)
	}
	if w.End.LessEq(w.Start) {
		return
	}
	if w.Start != r.nxt {
		c.holdOutOfOrder(now, s, w)
		return
	}
	if dup := r.gaps.duplicate(w); dup.Len() > 0 && w.Start == s.Seq {
		c.reportDuplicate(dup)
	}
	filled := r.gaps.take(w.End)
	if !r.shut {
		s.moveTo(&r.queue, w)
		r.queue.Join(&filled.queue)
		c.events |= Readable
	}
	c.advance(filled.End.Sub(w.Start))
	if filled.End != w.End || len(r.gaps.held) > 0 { // RFC 5681 section 4.2
		c.ack.now = true
	}
	c.scheduleAck(now)
}

func (c *Conn) advance(n int) {
	c.rcv.nxt = c.rcv.nxt.Add(n)
	c.rcv.unacked += n
	c.counts.bytesReceived += uint64(n)
}

// reportDuplicate lets the next ACK, which goes at once, say that w came again. Of several parts of a segment the first is
// reported, and the cumulative ACK and the other blocks cover the rest (RFC 2883 section 4).
func (c *Conn) reportDuplicate(w Range) {
	c.rcv.dsack = w
	c.ack.now, c.ack.apart = true, apartAcks
}

// moveTo appends the part w of a segment's bytes to q. If they fill at least half of their Buffer, the Buffer itself is queued; otherwise
// they are copied, so that small segments do not pin large buffers.
func (s *Segment) moveTo(q *packet.Queue, w Range) {
	data := s.Payload[w.Start.Sub(s.Seq):w.End.Sub(s.Seq)]
	b := s.Buffer
	if b == nil || w.End != s.Seq.Add(len(s.Payload)) || 2*len(data) < b.Cap() {
		q.Write(data)
		return
	}
	s.Buffer = nil
	b.TrimFront(b.Len() - len(data))
	q.Add(b)
}

// holdOutOfOrder keeps bytes that arrived ahead of a gap.
func (c *Conn) holdOutOfOrder(now time.Duration, s *Segment, w Range) {
	r := &c.rcv
	c.ack.now = true
	c.cfg.Stats.OutOfOrder.Inc()
	if dup := r.gaps.duplicate(w); dup.Len() > 0 {
		c.reportDuplicate(dup)
		if dup == w {
			r.gaps.note(r.gaps.held[r.gaps.find(w.Start)].Range)
			return
		}
	}
	gaps := len(r.gaps.held)
	if r.queue.Memory()+r.gaps.memory > max(maxWaste*c.rcvLimit(), leastWaste) || !r.gaps.add(s, w, !r.shut) {
		c.drop(now, s, &c.cfg.Stats.DropFragments, nil)
	}
	if len(r.gaps.held) > gaps {
		c.ack.apart = max(c.ack.apart, dupThresh)
	}
}

// AckApart says whether the segment that came last wants an acknowledgment of its own, where others share one (RFC 9293 section
// 3.10.7.4, MUST-58): after a duplicate, which tells that acknowledgments are lost, and at the edge of a gap, where a sender
// without SACK counts three (RFC 5681 section 4.2). Linux acknowledges each then.
func (c *Conn) AckApart() bool { return c.ack.now && c.ack.apart > 0 }

// holdText keeps text and FIN of a SYN that crossed ours until the connection is established (RFC 9293 section 3.10.7.3, fourth).
func (c *Conn) holdText(s *Segment) {
	r := &c.rcv
	end := s.Seq.Add(s.DataLen())
	if s.Flags.Has(FIN) && end.LessEq(r.edge) {
		r.hasFin, r.fin = true, end
	}
	if w := (Range{s.Seq, minSeq(end, r.edge)}); w.Len() > 0 {
		r.gaps.add(s, w, !r.shut)
	}
}

// takeHeldText receives the text that holdText kept.
func (c *Conn) takeHeldText() {
	r := &c.rcv
	held := r.gaps.take(r.nxt)
	if held.Len() == 0 {
		return
	}
	if !r.shut {
		r.queue.Join(&held.queue)
		c.events |= Readable
	}
	c.advance(held.Len())
	c.ack.now = true
}

// receiveFin acts on the peer's FIN once all before it has arrived (RFC 9293 section 3.10.7.4, eighth).
func (c *Conn) receiveFin(now time.Duration, s *Segment) {
	r := &c.rcv
	if end := s.Seq.Add(s.DataLen()); s.Flags.Has(FIN) && !r.hasFin && end.LessEq(r.edge) && r.gaps.end(end).LessEq(end) {
		r.hasFin, r.fin = true, end
	}
	if s.Flags.Has(FIN) {
		c.ack.now = true
	}
	if !r.hasFin || r.closed || r.nxt != r.fin {
		return
	}
	r.closed = true
	r.nxt++
	r.edge = maxSeq(r.edge, r.nxt)
	c.events |= Readable
	switch c.state {
	case SynReceived, Established:
		c.setState(now, CloseWait)
	case FinWait1:
		c.setState(now, Closing) // had our FIN been acknowledged, this were FIN-WAIT-2
	case FinWait2:
		c.setState(now, TimeWait)
	}
}

// Read moves received bytes to p and returns how many; it never blocks. 0 means none now, or the end when AtEOF.
func (c *Conn) Read(now time.Duration, p []byte) int {
	n := c.rcv.queue.Read(p[:c.beforeMark(len(p))])
	c.consumed(now, n)
	return n
}

// Take is Read without a copy: it moves up to n received bytes to the caller in the Buffers they lie in.
func (c *Conn) Take(now time.Duration, n int) packet.Queue {
	q := c.rcv.queue.Take(c.beforeMark(n))
	c.consumed(now, q.Len())
	return q
}

// consumed notes that the user took n bytes.
func (c *Conn) consumed(now time.Duration, n int) {
	if n > 0 {
		c.trace(now, Event{Kind: UserRead, Octets: n})
		c.tuneReceiveBuffer(now, n)
		c.openWindow()
	}
}

// Peek copies received bytes to p without taking them: those that Read would return.
func (c *Conn) Peek(p []byte) int {
	r, skip := &c.rcv, 0
	if ahead := r.urgent.mark.Sub(r.readSeq()); r.urgent.valid && ahead > 0 {
		p = p[:min(len(p), ahead)]
	} else if r.urgent.valid && ahead == 0 && !c.params.OOBInline {
		skip = 1
	}
	return r.queue.Peek(skip, p)
}

// Readable is the number of bytes Read can return now.
func (c *Conn) Readable() int { return c.rcv.queue.Len() }

// AtEOF says whether Read will never return more: the peer's FIN was reached, the user shut down reading, or the
// connection has ended.
func (c *Conn) AtEOF() bool {
	return c.rcv.queue.Len() == 0 && (c.rcv.closed || c.rcv.shut || c.state == Closed || c.state == TimeWait)
}

// PeerClosed says whether the peer's FIN has been reached.
func (c *Conn) PeerClosed() bool { return c.rcv.closed }

// CloseRead ends the stream after the bytes that are queued, which stay readable as on Linux, and discards what arrives from now on.
// An announced urgent byte that has not arrived is no longer waited for.
func (c *Conn) CloseRead() {
	r := &c.rcv
	if r.shut {
		return
	}
	r.gaps.empty() // SACK still reports their arrival
	r.shutAt = r.dataNxt()
	r.shut = true
	if r.urgent.valid && r.shutAt.LessEq(r.urgent.mark) {
		r.urgent = urgent{}
	}
	c.events |= Readable
}

// newEdge is the right edge that the free space of the buffer allows. It never moves left, and moves right only by
// a worthwhile step (RFC 9293 sections 3.8.6, 3.8.6.2.2).
func (c *Conn) newEdge() Seq {
	r := &c.rcv
	limit := c.rcvLimit()
	edge := r.nxt.Add(min(limit-r.queue.Len(), 65535<<r.shift))
	if edge.Sub(r.edge) < min(c.advMSS, limit/2) {
		return r.edge
	}
	return edge
}

// openWindow asks for an ACK when reading has freed so much that a window update is worthwhile: twice the window that the peer still has.
func (c *Conn) openWindow() {
	if !c.state.synchronized() || c.rcv.closed {
		return
	}
	if edge := c.newEdge(); edge.Sub(c.rcv.nxt) >= 2*c.rcv.wnd() && edge != c.rcv.edge {
		c.ack.now = true
	}
}
