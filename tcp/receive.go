package tcp

import (
	"time"

	"tunstack/internal/packet"
)

// receiver is the receiving half (RFC 9293 section 3.3.1).
type receiver struct {
	nxt         Seq // RCV.NXT
	edge        Seq // the right edge we have announced; RCV.WND is edge - nxt. Invariant: never before nxt, and never moves left after the handshake
	irs         Seq
	shift       uint8         // our window scale
	buf         packet.Stream // bytes before RCV.NXT that the user has not read
	reassembler reassembler   // bytes beyond RCV.NXT
	fin         Seq           // sequence number of the peer's FIN, if hasFin
	hasFin      bool          // the peer's FIN has arrived, perhaps ahead of data
	closed      bool          // RCV.NXT has passed the peer's FIN. Invariant: then hasFin and nxt == fin+1
	shut        bool          // the user has shut down reading
	shutAt      Seq           // RCV.NXT at that time, the end of the readable bytes, if shut

	urgent urgent

	quick    int8          // ACKs still to be sent without delay
	dialogue bool          // data of the user has carried an ACK, so that later ACKs can be delayed
	mss      int           // largest payload seen, at most the MSS we announced: RMSS
	unacked  int           // bytes received since the last ACK was sent
	lastAt   time.Duration // arrival of the last acceptable segment
	lastAck  Seq           // Last.ACK.sent of RFC 7323
	tsRecent uint32        // TS.Recent of RFC 7323

	tsRecentAt time.Duration // when tsRecent was set
	dsack      Range         // a duplicate to report in the next ACK (RFC 2883); empty: none

	buffer  int           // size that the automatic sizing has reached, in bytes
	copied  int           // bytes that the user has read in this round
	roundAt time.Duration // start of the round
	arrival arrivalRTT
}

// start sets the first sequence number expected, keeping the announced window.
func (r *receiver) start(nxt Seq) {
	wnd := r.edge.Sub(r.nxt)
	r.irs, r.nxt, r.lastAck = nxt.Add(-1), nxt, nxt
	r.edge = nxt.Add(wnd)
	r.quick = quickAcks
}

// openWindow sets the window of a connection that has not received anything. A SYN announces it unscaled, so it is at most 65535 bytes.
func (r *receiver) openWindow(limit int) { r.edge = r.nxt.Add(min(limit, 65535)) }

func (r *receiver) limitUnscaled() { r.edge = r.nxt.Add(min(r.wnd(), 65535)) }

// wnd is RCV.WND in bytes.
func (r *receiver) wnd() int { return r.edge.Sub(r.nxt) }

// release frees the bytes that the user has not read.
func (r *receiver) release() {
	r.buf.Release()
	r.reassembler.release()
	r.urgent = urgent{}
}

// receiveData queues the bytes of a segment, which has passed the sequence check (RFC 9293 section 3.10.7.4, seventh).
func (c *Conn) receiveData(now time.Duration, s *Segment) {
	r := &c.rcv
	r.mss = max(r.mss, min(len(s.Payload), c.advMSS))
	if c.tsOK && s.Options.HasTS && r.reassembler.end(r.nxt).LessEq(s.Seq) { // a retransmission echoes an ACK that came long before it
		r.arrival.echoed(now, s.Options.TSEcr, c.timestamp(now))
	}
	w := Range{s.Seq, s.Seq.Add(len(s.Payload))}
	if w.Start.Less(r.nxt) { // the first part was received before
		c.reportDuplicate(Range{w.Start, minSeq(w.End, r.nxt)})
		w.Start = r.nxt
	}
	w.End = minSeq(w.End, r.edge)
	if r.hasFin { // no byte follows a FIN
		w.End = minSeq(w.End, r.fin)
	}
	if w.End.LessEq(w.Start) {
		return
	}
	if w.Start != r.nxt {
		c.holdOutOfOrder(now, s, w)
		return
	}
	if dup := r.reassembler.duplicate(w); dup.Len() > 0 && w.Start == s.Seq {
		c.reportDuplicate(dup)
	}
	filled := r.reassembler.take(w.End)
	if !r.shut {
		s.moveTo(&r.buf, w)
		r.buf.Join(&filled.bytes)
		c.events |= Readable
	}
	c.advance(filled.End.Sub(w.Start))
	if filled.End != w.End || len(r.reassembler.blocks) > 0 { // RFC 5681 section 4.2
		c.ack.now = true
	}
	c.scheduleAck(now)
}

// advance moves RCV.NXT by n bytes.
func (c *Conn) advance(n int) {
	c.rcv.nxt = c.rcv.nxt.Add(n)
	c.rcv.unacked += n
	c.counts.bytesReceived += uint64(n)
}

// reportDuplicate makes the next ACK, which is sent at once, report w by D-SACK. If several parts of a segment are duplicates, the caller
// reports the first: the cumulative ACK and the other blocks cover the rest (RFC 2883 section 4).
func (c *Conn) reportDuplicate(w Range) {
	c.rcv.dsack = w
	c.ack.now, c.ack.apart = true, apartAcks
}

// moveTo appends the part w of a segment's bytes to q. If they are the end of the payload and fill at least half of its Buffer, q takes over
// the Buffer, and s.Buffer becomes nil. Otherwise it copies them, so that small segments do not pin large buffers.
func (s *Segment) moveTo(q *packet.Stream, w Range) {
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

// holdOutOfOrder keeps bytes that arrived beyond RCV.NXT, and acknowledges them at once (RFC 5681 section 4.2).
func (c *Conn) holdOutOfOrder(now time.Duration, s *Segment, w Range) {
	r := &c.rcv
	c.ack.now = true
	c.cfg.Stats.OutOfOrder.Inc()
	if dup := r.reassembler.duplicate(w); dup.Len() > 0 {
		c.reportDuplicate(dup)
		if dup == w {
			r.reassembler.noteAgain(w.Start)
			return
		}
	}
	blocks := len(r.reassembler.blocks)
	if r.buf.Memory()+r.reassembler.memory > max(maxWaste*c.rcvLimit(), leastWaste) || !r.hold(s, w) {
		c.drop(now, s, &c.cfg.Stats.DropTooManyBlocks, nil)
	}
	if len(r.reassembler.blocks) > blocks {
		c.ack.apart = max(c.ack.apart, dupThresh)
	}
}

// hold adds the part w of s to the reassembler. After the user has shut down reading it adds the range alone, so that SACK reports it.
func (r *receiver) hold(s *Segment, w Range) bool {
	if r.shut {
		s = nil
	}
	return r.reassembler.add(s, w)
}

// AckApart reports whether the last segment needs an ACK of its own, where the segments of a batch otherwise share one (RFC 9293 section
// 3.10.7.4, MUST-58). It does after a duplicate, because ACKs are lost then, and after a new gap, because a sender without SACK counts three
// duplicate ACKs (RFC 5681 section 4.2). Linux acknowledges each segment in both cases.
func (c *Conn) AckApart() bool { return c.ack.now && c.ack.apart > 0 }

// holdText keeps text and FIN of a SYN that crossed ours until the connection is established (RFC 9293 section 3.10.7.3, fourth).
func (c *Conn) holdText(s *Segment) {
	r := &c.rcv
	end := s.Seq.Add(s.DataLen())
	if s.Flags.Has(FIN) && end.LessEq(r.edge) {
		r.hasFin, r.fin = true, end
	}
	if w := (Range{s.Seq, minSeq(end, r.edge)}); w.Len() > 0 {
		r.hold(s, w)
	}
}

// takeHeldText receives the text that holdText has kept.
func (c *Conn) takeHeldText() {
	r := &c.rcv
	held := r.reassembler.take(r.nxt)
	if held.Len() == 0 {
		return
	}
	if !r.shut {
		r.buf.Join(&held.bytes)
		c.events |= Readable
	}
	c.advance(held.Len())
	c.ack.now = true
}

// receiveFin notes the peer's FIN, and acts on it once all data before it has arrived (RFC 9293 section 3.10.7.4, eighth).
func (c *Conn) receiveFin(now time.Duration, s *Segment) {
	r := &c.rcv
	if end := s.Seq.Add(s.DataLen()); s.Flags.Has(FIN) && !r.hasFin && end.LessEq(r.edge) && r.reassembler.end(end).LessEq(end) {
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
		c.setState(now, Closing) // our FIN is not acknowledged, or the state would be FIN-WAIT-2
	case FinWait2:
		c.setState(now, TimeWait)
	}
}

// Read moves received bytes to p and returns how many; it never blocks. If it returns 0, no bytes have arrived, or none will: AtEOF tells.
func (c *Conn) Read(now time.Duration, p []byte) int {
	n := c.rcv.buf.Read(p[:c.beforeMark(len(p))])
	c.consumed(now, n)
	return n
}

// Take is Read without a copy: it moves up to n received bytes to the caller, who then owns their Buffers.
func (c *Conn) Take(now time.Duration, n int) packet.Stream {
	q := c.rcv.buf.Take(c.beforeMark(n))
	c.consumed(now, q.Len())
	return q
}

// consumed follows a user's call that read n bytes.
func (c *Conn) consumed(now time.Duration, n int) {
	if n > 0 {
		c.trace(now, Event{Kind: UserRead, Bytes: n})
		c.tuneReceiveBuffer(now, n)
		c.openWindow()
	}
}

// Peek copies to p the bytes that Read would return, without removing them.
func (c *Conn) Peek(p []byte) int {
	r := &c.rcv
	if ahead := r.urgent.mark.Sub(r.readSeq()); r.urgent.valid && ahead > 0 {
		p = p[:min(len(p), ahead)]
	}
	return r.buf.Peek(c.hole(), p)
}

// Readable is the number of bytes that have arrived in order and are not read, an urgent one included.
func (c *Conn) Readable() int { return c.rcv.buf.Len() }

// AtEOF reports whether Read will never return more: RCV.NXT has passed the peer's FIN, the user has shut down reading, or the connection
// has ended.
func (c *Conn) AtEOF() bool {
	return c.Available() == 0 && (c.rcv.closed || c.rcv.shut || c.state == Closed || c.state == TimeWait)
}

// PeerClosed reports whether RCV.NXT has passed the peer's FIN.
func (c *Conn) PeerClosed() bool { return c.rcv.closed }

// CloseRead shuts down reading. As on Linux, received bytes stay readable, and the connection acknowledges and discards later ones. An
// announced urgent byte that has not arrived is no longer expected.
func (c *Conn) CloseRead() {
	r := &c.rcv
	if r.shut {
		return
	}
	r.reassembler.empty() // SACK still reports the blocks
	r.shutAt = r.dataNxt()
	r.shut = true
	if r.urgent.valid && r.shutAt.LessEq(r.urgent.mark) {
		r.urgent = urgent{}
	}
	c.events |= Readable
}

// newEdge returns the right edge that the free space of the buffer allows. It never moves left. To avoid silly windows, it moves right by at
// least an MSS or half the buffer (RFC 9293 sections 3.8.6, 3.8.6.2.2).
func (c *Conn) newEdge() Seq {
	r := &c.rcv
	limit := c.rcvLimit()
	edge := r.nxt.Add(min(limit-r.buf.Len(), 65535<<r.shift))
	if edge.Sub(r.edge) < min(c.advMSS, limit/2) {
		return r.edge
	}
	return edge
}

// openWindow schedules a window update if reading has freed so much that the new window is at least twice the announced one.
func (c *Conn) openWindow() {
	if !c.state.synchronized() || c.rcv.closed {
		return
	}
	if edge := c.newEdge(); edge.Sub(c.rcv.nxt) >= 2*c.rcv.wnd() && edge != c.rcv.edge {
		c.ack.now = true
	}
}
