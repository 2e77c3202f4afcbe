package tcp

import (
	"syscall"
	"time"

	"tunstack/internal/sendq"
)

// sender is the sending half (RFC 9293 section 3.3.1).
type sender struct {
	una, nxt Seq    // SND.UNA, SND.NXT. Invariant: una <= nxt
	iss      Seq    // ISS, the number of our SYN
	tsOffset uint32 // added to the clock in our timestamps
	wnd      int    // SND.WND in bytes
	wl1, wl2 Seq    // SND.WL1, SND.WL2
	shift    uint8  // the peer's window scale
	maxWnd   int    // MAX.SND.WND: the largest window that the peer has announced
	mss      int    // Eff.snd.MSS: payload of a full-sized segment
	peerMSS  int    // the peer's MSS option

	buf    sendq.Buffer // bytes that the user has written and the peer has not acknowledged
	closed bool         // the user writes no more
	fin    Seq          // sequence number of our FIN, if closed
	board  scoreboard   // bytes between una and nxt

	up        Seq  // SND.UP: the sequence number after the urgent data
	urgent    bool // SND.UP is after una
	push      bool // send partial segments, until no data is unsent
	more      bool // MSG_MORE: delay a partial segment
	resend    bool // the retransmission timer has expired: the congestion window does not limit the next retransmission
	keepAlive bool // send a keep-alive probe
	limited   bool // the congestion window limited the last transmission
	persist   persist

	dupAcks   int           // duplicate ACKs without SACK
	retries   int           // retransmissions since una has advanced
	stalled   bool          // una has not advanced, or the window has not opened, for a timeout
	synResent bool          // our SYN was sent more than once
	stalledAt time.Duration // start of that timeout, if stalled
	lastSent  time.Duration // time of the last transmission of data
	buffer    int           // size that the automatic sizing has reached, in bytes
}

// dataStart is the sequence number of the first byte in the send buffer.
func (snd *sender) dataStart() Seq {
	if snd.una == snd.iss {
		return snd.iss + 1
	}
	return snd.una
}

// dataEnd is the sequence number after the last byte in the send buffer.
func (snd *sender) dataEnd() Seq { return snd.dataStart().Add(snd.buf.Len()) }

// unsent is the number of bytes that were never sent, without the FIN.
func (snd *sender) unsent() int { return max(snd.dataEnd().Sub(maxSeq(snd.nxt, snd.dataStart())), 0) }

// finUnsent reports whether our FIN is to be sent for the first time.
func (snd *sender) finUnsent() bool { return snd.closed && snd.nxt.LessEq(snd.fin) }

// ownsFin reports whether w ends with our FIN.
func (snd *sender) ownsFin(w Range) bool { return snd.closed && w.End == snd.fin+1 }

// finAcked reports whether the peer has acknowledged our FIN.
func (snd *sender) finAcked() bool { return snd.closed && snd.fin.Less(snd.una) }

// Write copies bytes of p to the send buffer and returns how many fit. It never blocks. The next Output sends them.
func (c *Conn) Write(now time.Duration, p []byte) int {
	n := c.fits(p)
	c.snd.buf.Write(p[:n])
	c.wrote(now, n)
	return n
}

// Lend is Write without a copy: it may queue p itself. The bytes of p must not change until the loan is returned.
func (c *Conn) Lend(now time.Duration, p []byte, loan *sendq.Loan) int {
	n := c.fits(p)
	c.snd.buf.Lend(p[:n], loan)
	c.wrote(now, n)
	return n
}

// fits returns the number of bytes of p that fit into the send buffer.
func (c *Conn) fits(p []byte) int {
	if !c.CanSend() {
		return 0
	}
	return min(len(p), max(c.sndLimit()-c.snd.memory(), 0), c.notsentRoom())
}

// wrote traces a user's call that wrote n bytes.
func (c *Conn) wrote(now time.Duration, n int) {
	if n > 0 {
		c.trace(now, Event{Kind: UserWrote, Bytes: n})
	}
}

// CanSend reports whether the connection takes bytes to send, at once or when it is established.
func (c *Conn) CanSend() bool {
	return !c.snd.closed && (c.state == Established || c.state == CloseWait || c.state == SynSent || c.state == SynReceived)
}

// More sets whether a partial segment is delayed because the user is about to write more (MSG_MORE).
func (c *Conn) More(more bool) { c.snd.more = more }

// Push sends the partial segment that TCP_CORK, MSG_MORE or Nagle's algorithm delays. It does not affect bytes written later. Setting
// TCP_NODELAY calls it, even if the option is set already (Linux tcp(7)).
func (c *Conn) Push() {
	c.snd.push = c.snd.unsent() > 0
	c.timers.cork = 0
}

// sndLimit is the size of the send buffer in bytes. Without SO_SNDBUF it is twice the congestion window, at least InitialSndBuf and at
// most MaxSndBuf, so that the user can write the next window while one is in flight.
func (c *Conn) sndLimit() int {
	if c.params.SndBuf > 0 {
		return c.params.SndBuf
	}
	return min(max(c.snd.buffer, 2*c.cc.cwnd)+c.snd.board.memory(), c.cfg.MaxSndBuf)
}

// canWrite reports whether enough of the send buffer is free to wake a writer: a third, as in Linux.
func (c *Conn) canWrite() bool {
	return c.CanSend() && 3*c.snd.memory() <= 2*c.sndLimit() && c.belowLowat()
}

// memory is the charge against the send buffer: its bytes, and the flights that the peer has split by SACK.
func (snd *sender) memory() int { return snd.buf.Len() + snd.board.memory() }

// Writable reports whether a writer is to be woken: there is room, or Write will fail.
func (c *Conn) Writable() bool {
	return c.canWrite() && c.state.synchronized() || c.snd.closed || c.state == Closed || c.state == TimeWait
}

// Unacked is the number of bytes that the user has written and the peer has not acknowledged.
func (c *Conn) Unacked() int { return c.snd.buf.Len() }

// Memory is the memory of the connection in bytes, without the Conn itself: send buffer, receive buffer, reassembler, scoreboard and congestion
// control.
func (c *Conn) Memory() int {
	return c.snd.buf.Memory() + c.snd.board.memory() + c.snd.board.losses.memory() + c.cc.algorithm.memory() +
		c.rcv.buf.Memory() + c.rcv.reassembler.memory + cap(c.rcv.reassembler.blocks)*blockSize
}

// Delivered reports whether the peer has acknowledged all bytes written, and the FIN if the user has closed. It is true after the end of the
// connection, too.
func (c *Conn) Delivered() bool {
	return c.state == Closed || c.state == TimeWait || c.snd.buf.Len() == 0 && (!c.snd.closed || c.snd.finAcked())
}

// CloseWrite shuts down writing: Output sends a FIN after the bytes already written (RFC 9293 section 3.10.4).
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

// enterClosing changes the state of a connection whose user has shut down writing. In SYN-RECEIVED it does nothing: established calls it again.
func (c *Conn) enterClosing(now time.Duration) {
	switch {
	case c.snd.closed && c.state == Established:
		c.setState(now, FinWait1)
	case c.snd.closed && c.state == CloseWait:
		c.setState(now, LastAck)
	}
}

// Close makes the connection an orphan: Output still sends the bytes already written, and then a FIN. If received bytes are unread, Close resets
// the connection instead, so that the peer learns of their loss (RFC 9293 section 3.6.1).
func (c *Conn) Close(now time.Duration) {
	c.trace(now, Event{Kind: UserClosed, Why: "close"})
	unread := c.rcv.buf.Len() > 0
	c.orphan = true
	if unread {
		c.Abort(now)
		return
	}
	c.rcv.release() // refuseData resets the connection if the gap before the reassembler's blocks fills
	c.closeWrite(now)
	switch {
	case c.state == FinWait2 && c.params.FinTimeout < 0:
		c.Abort(now)
	case c.state == FinWait2:
		c.awaitFin(now)
	}
}

// awaitFin bounds the time that an orphan spends in FIN-WAIT-2 (TCP_LINGER2). With a negative bound it ends the connection without a reset. As in
// Linux, only Close in FIN-WAIT-2 sends a reset then.
func (c *Conn) awaitFin(now time.Duration) {
	if d := c.params.Effective(c.cfg).FinTimeout; d >= 0 {
		c.timers.linger = now + d
	} else {
		c.setState(now, Closed)
	}
}

// Abort ends the connection, with a RST to the peer if there is one, and frees the received bytes (RFC 9293 section 3.10.5).
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
