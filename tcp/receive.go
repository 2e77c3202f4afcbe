package tcp

import (
	"slices"
	"time"

	"tunstack/internal/ring"
)

// receiver is the receiving half (RFC 9293 section 3.3.1).
type receiver struct {
	nxt    Seq // RCV.NXT
	edge   Seq // the right edge we have announced; RCV.WND is edge - nxt
	irs    Seq
	shift  uint8 // our window scale
	buf    ring.Buffer
	gaps   gaps
	fin    Seq  // where the peer's FIN stands
	hasFin bool // it has arrived, perhaps ahead of data
	closed bool // RCV.NXT has passed it: the stream is at its end
	shut   bool // the user has shut down reading

	urgent  urgent
	oob     byte // an urgent octet that was taken out of the stream
	oobHeld bool // and not read

	mss      int // largest payload seen, at most the MSS we announced: RMSS
	unacked  int // octets received since the last acknowledgment
	quick    int // acknowledgments still to be sent without delay
	lastAt   time.Duration
	lastAck  Seq // Last.ACK.sent of RFC 7323
	tsRecent uint32

	tsRecentAt time.Duration
	dsack      Range // a duplicate to report in the next ACK (RFC 2883)

	buffer  int           // size the automatic sizing has reached
	copied  int           // octets the user took in this round
	roundAt time.Duration // when the round began
}

// start sets the first sequence number expected, keeping the announced window.
func (r *receiver) start(nxt Seq) {
	wnd := r.edge.Sub(r.nxt)
	r.irs, r.nxt, r.lastAck = nxt.Add(-1), nxt, nxt
	r.edge = nxt.Add(wnd)
	r.quick = 16
}

// openWindow sets the window of a connection that has not received anything. It fits an unscaled header field until the handshake is over.
func (r *receiver) openWindow(limit int) { r.edge = r.nxt.Add(min(limit, 65535)) }

func (r *receiver) limitUnscaled() { r.edge = r.nxt.Add(min(r.wnd(), 65535)) }

// wnd is RCV.WND in octets.
func (r *receiver) wnd() int { return r.edge.Sub(r.nxt) }

// release forgets what the user has not read.
func (r *receiver) release() {
	r.buf.Release()
	r.gaps = gaps{}
	r.urgent, r.oobHeld = urgent{}, false
}

// rcvLimit is the size of the receive buffer in octets.
func (c *Conn) rcvLimit() int {
	if c.params.RcvBuf > 0 {
		return c.params.RcvBuf
	}
	return c.rcv.buffer
}

// receiveData places the octets of a segment, which has passed the sequence check, in the buffer
// (RFC 9293 section 3.10.7.4, seventh).
func (c *Conn) receiveData(now time.Duration, s *Segment) {
	seq, data := s.Seq, s.Payload
	r := &c.rcv
	r.mss = max(r.mss, min(len(data), c.advMSS))
	if early := r.nxt.Sub(seq); early > 0 { // the front has been received before
		r.dsack = Range{seq, minSeq(seq.Add(len(data)), r.nxt)}
		c.ack.now = true
		data = data[min(early, len(data)):]
		seq = r.nxt
	}
	if over := seq.Add(len(data)).Sub(r.edge); over > 0 {
		data = data[:max(len(data)-over, 0)]
	}
	if len(data) == 0 {
		return
	}
	if seq != r.nxt {
		c.holdOutOfOrder(now, s, seq, data)
		return
	}
	filled := r.gaps.take(seq.Add(len(data)))
	if !r.shut {
		r.buf.Write(data)
		r.buf.Commit(filled)
		c.events |= Readable
	}
	c.advance(len(data) + filled)
	if filled > 0 || len(r.gaps.held) > 0 { // RFC 5681 section 4.2
		c.ack.now = true
	}
	c.scheduleAck(now)
}

func (c *Conn) advance(n int) {
	c.rcv.nxt = c.rcv.nxt.Add(n)
	c.rcv.unacked += n
	c.counts.bytesReceived += uint64(n)
}

// holdOutOfOrder keeps octets that arrived ahead of a gap, at their final place in the buffer.
func (c *Conn) holdOutOfOrder(now time.Duration, s *Segment, seq Seq, data []byte) {
	r := &c.rcv
	c.ack.now = true
	c.cfg.Stats.OutOfOrder.Inc()
	whole := Range{seq, seq.Add(len(data))}
	if dup, all := r.gaps.covered(whole); all {
		r.dsack = dup
		return
	}
	if !r.gaps.add(whole) {
		c.drop(now, s, &c.cfg.Stats.DropFragments)
		return
	}
	if !r.shut {
		r.buf.WriteAt(r.buf.Len()+seq.Sub(r.nxt), data)
	}
}

// receiveFin acts on the peer's FIN once all before it has arrived (RFC 9293 section 3.10.7.4, eighth).
func (c *Conn) receiveFin(now time.Duration, s *Segment) {
	r := &c.rcv
	if s.Flags.Has(FIN) && !r.hasFin && s.Seq.Add(s.DataLen()).LessEq(r.edge) {
		r.hasFin, r.fin = true, s.Seq.Add(s.DataLen())
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

// Read moves received octets to p and returns how many; it never blocks. 0 means none now, or the end when AtEOF.
func (c *Conn) Read(now time.Duration, p []byte) int {
	n := c.rcv.buf.Peek(p[:c.beforeMark(len(p))])
	if n > 0 {
		c.rcv.buf.Discard(n, len(c.rcv.gaps.held) > 0)
		c.trace(now, Event{Kind: UserRead, Octets: n})
		c.tuneReceiveBuffer(now, n)
		c.openWindow()
	}
	return n
}

// Peek copies received octets to p without taking them.
func (c *Conn) Peek(p []byte) int { return c.rcv.buf.Peek(p[:c.beforeMark(len(p))]) }

// Readable is the number of octets Read can return now.
func (c *Conn) Readable() int { return c.rcv.buf.Len() }

// AtEOF says whether Read will never return more: the peer's FIN was reached, the user shut down reading, or the
// connection has ended.
func (c *Conn) AtEOF() bool {
	return c.rcv.buf.Len() == 0 && (c.rcv.closed || c.rcv.shut || c.state == Closed || c.state == TimeWait)
}

// PeerClosed says whether the peer's FIN has been reached.
func (c *Conn) PeerClosed() bool { return c.rcv.closed }

// CloseRead makes later reads return the end of the stream and discards what arrives from now on.
func (c *Conn) CloseRead() {
	c.rcv.shut = true
	held := c.rcv.gaps // that they have come is still to be told
	c.rcv.release()
	c.rcv.gaps = held
	c.events |= Readable
	c.openWindow()
}

// tuneReceiveBuffer lets the buffer grow with what the user takes in a round trip, so that the window never limits a peer
// that could send faster: one in slow start has sent four times that when its next round arrives, and goes on sending
// while it repairs a loss.
func (c *Conn) tuneReceiveBuffer(now time.Duration, n int) {
	r := &c.rcv
	r.copied += n
	if c.params.RcvBuf > 0 || now-r.roundAt < c.rtt.srtt {
		return
	}
	r.buffer = max(r.buffer, min(8*r.copied, c.maxReceiveBuffer()))
	r.copied, r.roundAt = 0, now
}

func (c *Conn) maxReceiveBuffer() int { return min(c.cfg.MaxRcvBuf, 65535<<c.rcv.shift) }

// newEdge is the right edge that the free space of the buffer allows. It never moves left, and moves right only by
// a worthwhile step (RFC 9293 sections 3.8.6, 3.8.6.2.2).
func (c *Conn) newEdge() Seq {
	r := &c.rcv
	limit := c.rcvLimit()
	edge := r.nxt.Add(min(limit-r.buf.Len(), 65535<<r.shift))
	if edge.Sub(r.edge) < min(c.advMSS, limit/2) {
		return r.edge
	}
	return edge
}

// openWindow asks for an ACK when reading has freed enough for the peer to be worth telling: twice what it may still send.
func (c *Conn) openWindow() {
	if !c.state.synchronized() || c.rcv.closed {
		return
	}
	if edge := c.newEdge(); edge.Sub(c.rcv.nxt) >= 2*c.rcv.wnd() && edge != c.rcv.edge {
		c.ack.now = true
	}
}

// gaps are the stretches received beyond RCV.NXT, in order of sequence.
type gaps struct {
	held  []held
	stamp uint32
}

type held struct {
	Range
	stamp uint32 // when it last changed: SACK reports the latest first
}

// maxGaps bounds the stretches; an honest path never comes near (SEC-020).
const maxGaps = 1024

// add merges w into the held stretches; false when there are too many.
func (g *gaps) add(w Range) bool {
	i, _ := slices.BinarySearchFunc(g.held, w.Start, func(h held, s Seq) int { return h.End.Sub(s) })
	j := i
	for ; j < len(g.held) && g.held[j].Start.LessEq(w.End); j++ {
		w.Start = minSeq(w.Start, g.held[j].Start)
		w.End = maxSeq(w.End, g.held[j].End)
	}
	if i == j && len(g.held) >= maxGaps {
		return false
	}
	g.stamp++
	g.held = slices.Replace(g.held, i, j, held{w, g.stamp})
	return true
}

// covered reports whether all of w is held already.
func (g *gaps) covered(w Range) (Range, bool) {
	for i := range g.held {
		if h := &g.held[i]; h.Start.LessEq(w.Start) && w.End.LessEq(h.End) {
			g.stamp++
			h.stamp = g.stamp
			return w, true
		}
	}
	return Range{}, false
}

// take removes what RCV.NXT, now at nxt, has reached, and returns by how many octets it can move on.
func (g *gaps) take(nxt Seq) int {
	n := 0
	for n < len(g.held) && g.held[n].Start.LessEq(nxt) {
		n++
	}
	if n == 0 {
		return 0
	}
	end := g.held[n-1].End
	if g.held = slices.Delete(g.held, 0, n); len(g.held) == 0 {
		g.held = nil
	}
	return max(end.Sub(nxt), 0)
}

// sackBlocks writes the blocks of an ACK, the latest first (RFC 2018 section 4), a duplicate before all (RFC 2883).
func (r *receiver) sackBlocks(o *Options, room int) {
	if r.dsack != (Range{}) {
		o.Sack[0] = r.dsack
		o.SackCount = 1
		r.dsack = Range{}
	}
	bound := r.gaps.stamp + 1
	for int(o.SackCount) < room {
		var best *held
		for i := range r.gaps.held {
			h := &r.gaps.held[i]
			if int32(h.stamp-bound) < 0 && (best == nil || int32(h.stamp-best.stamp) > 0) {
				best = h
			}
		}
		if best == nil {
			return
		}
		o.Sack[o.SackCount] = best.Range
		o.SackCount++
		bound = best.stamp
	}
}
