package tcp

import (
	"syscall"
	"time"

	"tunstack/internal/sendq"
)

// sender is the sending half (RFC 9293 section 3.3.1).
type sender struct {
	una, nxt Seq // SND.UNA, SND.NXT
	iss      Seq
	tsOffset uint32 // of our timestamps
	wnd      int    // SND.WND, scaled
	wl1, wl2 Seq
	shift    uint8 // the peer's window scale
	maxWnd   int   // the largest window the peer has offered
	mss      int   // payload of a full-sized segment
	peerMSS  int   // the peer's MSS option

	buf    sendq.Queue // bytes from una on
	closed bool        // the user will write no more
	fin    Seq         // then: where our FIN stands
	board  scoreboard

	up        Seq  // SND.UP: the byte after the urgent data
	urgent    bool // SND.UP lies ahead of una
	push      bool // waiting data is sent although it is little, until none is left
	more      bool // MSG_MORE: hold a partial segment
	resend    bool // the retransmission timer has expired: the first segment goes whatever the congestion window says
	keepAlive bool // send a keep-alive probe
	limited   bool // the congestion window held us back
	persist   persist

	dupAcks   int
	retries   int           // retransmissions of the segment at una
	stalled   bool          // una, or the closed window, has not moved for a timeout
	synResent bool          // our SYN was sent more than once
	stalledAt time.Duration // since when
	lastSent  time.Duration
	buffer    int // size the automatic sizing has reached
}

// dataStart is the sequence number of the first byte in the buffer.
func (snd *sender) dataStart() Seq {
	if snd.una == snd.iss {
		return snd.iss + 1
	}
	return snd.una
}

// dataEnd is the sequence number after the last one.
func (snd *sender) dataEnd() Seq { return snd.dataStart().Add(snd.buf.Len()) }

// unsent is the number of bytes never sent; the FIN not counted.
func (snd *sender) unsent() int { return max(snd.dataEnd().Sub(maxSeq(snd.nxt, snd.dataStart())), 0) }

func (snd *sender) finUnsent() bool { return snd.closed && snd.nxt.LessEq(snd.fin) }

// ownsFin says whether our FIN is the end of w.
func (snd *sender) ownsFin(w Range) bool { return snd.closed && w.End == snd.fin+1 }

func (snd *sender) finAcked() bool { return snd.closed && snd.fin.Less(snd.una) }

// Write queues bytes of p and returns how many fit. It never blocks.
func (c *Conn) Write(now time.Duration, p []byte) int {
	n := c.fits(p)
	c.snd.buf.Write(p[:n])
	c.wrote(now, n)
	return n
}

// Lend is Write without a copy: the bytes of p that fit, if they are many, must not change until the loan is returned.
func (c *Conn) Lend(now time.Duration, p []byte, loan *sendq.Loan) int {
	n := c.fits(p)
	c.snd.buf.Lend(p[:n], loan)
	c.wrote(now, n)
	return n
}

// fits is how many bytes of p there is room for.
func (c *Conn) fits(p []byte) int {
	if !c.CanSend() {
		return 0
	}
	return min(len(p), max(c.sndLimit()-c.snd.memory(), 0), c.notsentRoom())
}

func (c *Conn) wrote(now time.Duration, n int) {
	if n > 0 {
		c.trace(now, Event{Kind: UserWrote, Bytes: n})
	}
}

// CanSend says whether the connection is, or is becoming, one that takes more bytes.
func (c *Conn) CanSend() bool {
	return !c.snd.closed && (c.state == Established || c.state == CloseWait || c.state == SynSent || c.state == SynReceived)
}

// More tells whether the bytes just written are to wait for others (MSG_MORE).
func (c *Conn) More(more bool) { c.snd.more = more }

// Push sends what TCP_CORK, MSG_MORE and Nagle's algorithm hold, and nothing written later: setting TCP_NODELAY does, also when it is
// set already (Linux tcp(7)).
func (c *Conn) Push() {
	c.snd.push = c.snd.unsent() > 0
	c.timers.cork = 0
}

// sndLimit is the size of the send buffer in bytes. By itself it follows the congestion window, so that one flight
// can be on its way while the next is being written.
func (c *Conn) sndLimit() int {
	if c.params.SndBuf > 0 {
		return c.params.SndBuf
	}
	return min(max(c.snd.buffer, 2*c.cc.cwnd)+c.snd.board.memory(), c.cfg.MaxSndBuf)
}

// canWrite says whether enough of the send buffer is free for a writer to be woken: a third, as Linux has it.
func (c *Conn) canWrite() bool {
	return c.CanSend() && 3*c.snd.memory() <= 2*c.sndLimit() && c.belowLowat()
}

// memory is what the send buffer is charged with: the bytes in it, and the flights that the peer has split by SACK.
func (snd *sender) memory() int { return snd.buf.Len() + snd.board.memory() }

// Writable says whether Write should be tried: there is room, or an error to learn of.
func (c *Conn) Writable() bool {
	return c.canWrite() && c.state.synchronized() || c.snd.closed || c.state == Closed || c.state == TimeWait
}

// Unacked is the number of bytes in the send buffer: written but not acknowledged.
func (c *Conn) Unacked() int { return c.snd.buf.Len() }

// Memory is what the connection holds besides itself, in bytes: what it has to send, what was received and not read, and what it
// remembers of both.
func (c *Conn) Memory() int {
	return c.snd.buf.Memory() + c.snd.board.memory() + c.snd.board.losses.memory() + c.cc.algorithm.memory() +
		c.rcv.buf.Memory() + c.rcv.reassembler.memory + cap(c.rcv.reassembler.blocks)*blockSize
}

// Delivered says whether all that was written, and the FIN if there is one, has been acknowledged or given up.
func (c *Conn) Delivered() bool {
	return c.state == Closed || c.state == TimeWait || c.snd.buf.Len() == 0 && (!c.snd.closed || c.snd.finAcked())
}

// CloseWrite ends sending: the FIN follows the bytes already written (RFC 9293 section 3.10.4).
func (c *Conn) CloseWrite(now time.Duration) {
	c.trace(now, Event{Kind: UserClosed, Why: "shutdown"})
	c.closeWrite(now)
}

func (c *Conn) closeWrite(now time.Duration) {
	if c.snd.closed {
		return
	}
	switch c.state {
	case SynSent:
		c.setState(now, Closed)
		return
	case SynReceived, Established, CloseWait:
	default:
		return
	}
	c.snd.closed, c.snd.fin = true, c.snd.dataEnd()
	c.enterClosing(now)
}

// enterClosing moves on a connection whose user has closed; during the handshake that waits for its end.
func (c *Conn) enterClosing(now time.Duration) {
	switch {
	case c.snd.closed && c.state == Established:
		c.setState(now, FinWait1)
	case c.snd.closed && c.state == CloseWait:
		c.setState(now, LastAck)
	}
}

// Close gives the connection up: written data is still sent, but the user reads no more. Bytes left unread
// make it a reset, so that the peer learns that they were lost (RFC 9293 section 3.6.1).
func (c *Conn) Close(now time.Duration) {
	c.trace(now, Event{Kind: UserClosed, Why: "close"})
	unread := c.rcv.buf.Len() > 0
	c.orphan = true
	if unread {
		c.Abort(now)
		return
	}
	c.rcv.release() // what was received ahead of a gap, too: what fills the gap is answered by a reset
	c.closeWrite(now)
	switch {
	case c.state == FinWait2 && c.params.FinTimeout < 0:
		c.Abort(now)
	case c.state == FinWait2:
		c.awaitFin(now)
	}
}

// awaitFin bounds the time that a connection without an owner spends in FIN-WAIT-2 (TCP_LINGER2). Without any it ends, and
// says so only if its owner closes it now: Linux sends a reset in that case alone.
func (c *Conn) awaitFin(now time.Duration) {
	if d := c.params.Effective(c.cfg).FinTimeout; d >= 0 {
		c.timers.linger = now + d
	} else {
		c.setState(now, Closed)
	}
}

// Abort resets the connection and gives it up (RFC 9293 section 3.10.5).
func (c *Conn) Abort(now time.Duration) {
	c.trace(now, Event{Kind: UserClosed, Why: "abort"})
	c.orphan = true
	switch c.state {
	case SynReceived, Established, FinWait1, FinWait2, CloseWait:
		c.reset = pendingReset{pending: true, flags: RST | ACK, seq: c.snd.nxt, ack: c.rcv.nxt}
		c.fail(now, syscall.ECONNABORTED)
	case Closed:
		c.rcv.release()
	default:
		c.setState(now, Closed)
	}
}
