package tcp

import (
	"syscall"
	"time"
)

// Urgent data (RFC 9293 section 3.8.5). The urgent pointer is the sequence number after the urgent data, in both directions. As on Linux, the
// last urgent byte is out of band: without OOBInline, Read skips it, and ReadUrgent returns it.

// urgent is the receiver's state of urgent data.
type urgent struct {
	mark  Seq  // sequence number of the last urgent byte, if valid
	valid bool // the peer has announced urgent data that Read has not passed
	read  bool // ReadUrgent has returned the byte at mark
}

// WriteUrgent is Write with the last byte that fits marked as the last urgent byte.
func (c *Conn) WriteUrgent(now time.Duration, p []byte) int {
	n := c.Write(now, p)
	if n > 0 {
		c.snd.up, c.snd.urgent = c.snd.dataEnd(), true
	}
	return n
}

// markUrgent sets the urgent pointer of a segment while SND.UP is after SND.UNA. If SND.UP is too far ahead for the field, the field is 65535.
func (c *Conn) markUrgent(s *Segment) {
	snd := &c.snd
	if !snd.urgent || s.Flags.Has(SYN) {
		return
	}
	if snd.up.LessEq(snd.una) {
		snd.urgent = false
		return
	}
	if ahead := snd.up.Sub(s.Seq); ahead > 0 {
		s.Flags |= URG
		s.Urg = uint16(min(ahead, 65535))
	}
}

// receiveUrgent takes the urgent pointer of a segment (RFC 9293 section 3.10.7.4, sixth).
func (c *Conn) receiveUrgent(s *Segment) {
	if !s.Flags.Has(URG) || s.Urg == 0 || c.rcv.shut {
		return
	}
	u := &c.rcv.urgent
	mark := s.Seq.Add(int(s.Urg) - 1)
	if mark.Less(c.rcv.readSeq()) || u.valid && mark.LessEq(u.mark) {
		return
	}
	if c.hole() > 0 { // the earlier urgent byte was not read, and would lie in the stream: as on Linux nobody gets it
		c.rcv.buf.Discard(1)
	}
	*u = urgent{mark: mark, valid: true}
	c.events |= Urgent
}

// readSeq is the sequence number of the next byte in the receive buffer.
func (r *receiver) readSeq() Seq { return r.dataNxt().Add(-r.buf.Len()) }

// dataNxt is the sequence number after the last byte in the receive buffer: RCV.NXT without the peer's FIN, and without the bytes discarded since
// the user has shut down reading.
func (r *receiver) dataNxt() Seq {
	switch {
	case r.shut:
		return r.shutAt
	case r.closed:
		return r.fin
	}
	return r.nxt
}

// beforeMark returns how many of n bytes the user may read now. A read ends before the mark. At the mark, beforeMark first removes the urgent byte
// from the stream, unless OOBInline leaves it there. As on Linux a user who reads past the mark has had the urgent byte.
func (c *Conn) beforeMark(n int) int {
	u, r := &c.rcv.urgent, &c.rcv
	if !u.valid || n == 0 {
		return n
	}
	if ahead := u.mark.Sub(r.readSeq()); ahead > 0 {
		return min(n, ahead)
	}
	if r.buf.Len() > 0 {
		r.buf.Discard(c.hole())
		u.valid = false
	}
	return n
}

// hole is how many bytes at the front of the receive buffer no read returns: 1 at an urgent byte that is not inline, else 0.
func (c *Conn) hole() int {
	if c.AtMark() && !c.params.OOBInline && c.rcv.buf.Len() > 0 {
		return 1
	}
	return 0
}

// Available is the number of bytes of the receive buffer that Read will return sooner or later.
func (c *Conn) Available() int { return c.rcv.buf.Len() - c.hole() }

// BeforeMark is the number of bytes to read before an urgent byte that has arrived and is not inline, else all of the receive buffer
// (SIOCINQ).
func (c *Conn) BeforeMark() int {
	n, u := c.rcv.buf.Len(), &c.rcv.urgent
	if ahead := u.mark.Sub(c.rcv.readSeq()); u.valid && !c.params.OOBInline && ahead >= 0 && ahead < n {
		return ahead
	}
	return n
}

// AtMark reports whether the next byte of the stream is the last urgent byte (sockatmark).
func (c *Conn) AtMark() bool {
	return c.rcv.urgent.valid && c.rcv.urgent.mark == c.rcv.readSeq()
}

// UrgentPending reports whether the peer has announced an urgent byte that the user has not read.
func (c *Conn) UrgentPending() bool { return c.rcv.urgent.valid && !c.rcv.urgent.read }

// ReadUrgent returns the last urgent byte out of band, once. Errors: EAGAIN if it has not arrived, EINVAL if the peer has announced none, the user
// has read it or past it, or OOBInline leaves it in the stream.
func (c *Conn) ReadUrgent() (byte, error) {
	b, err := c.PeekUrgent()
	if err == nil {
		c.rcv.urgent.read = true
	}
	return b, err
}

// PeekUrgent is ReadUrgent, but does not mark the byte as read.
func (c *Conn) PeekUrgent() (byte, error) {
	u, r := &c.rcv.urgent, &c.rcv
	if !u.valid || u.read || c.params.OOBInline {
		return 0, syscall.EINVAL
	}
	offset := u.mark.Sub(r.readSeq())
	if offset >= r.buf.Len() {
		return 0, syscall.EAGAIN
	}
	return r.buf.At(offset), nil
}
