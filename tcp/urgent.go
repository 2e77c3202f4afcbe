package tcp

import "time"

// Urgent data (RFC 9293 section 3.8.5). The pointer names the byte after the urgent data, in both directions. For the
// user the last urgent byte is special, as Linux has it: without OOBInline it is taken out of the stream.

// urgent is the receiver's part.
type urgent struct {
	mark  Seq  // the last urgent byte
	valid bool // there is one
	read  bool // the user has it
}

// WriteUrgent queues bytes of p and makes the last of those that fit the end of the urgent data. It returns how many fit.
func (c *Conn) WriteUrgent(now time.Duration, p []byte) int {
	n := c.Write(now, p)
	if n > 0 {
		c.snd.up, c.snd.urgent = c.snd.dataEnd(), true
	}
	return n
}

// markUrgent sets the urgent pointer on a segment while it lies ahead. A pointer that does not fit says as much as it can.
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

// receiveUrgent is RFC 9293 section 3.10.7.4, sixth.
func (c *Conn) receiveUrgent(s *Segment) {
	if !s.Flags.Has(URG) || s.Urg == 0 || c.rcv.shut {
		return
	}
	u := &c.rcv.urgent
	mark := s.Seq.Add(int(s.Urg) - 1)
	if mark.Less(c.rcv.readSeq()) || u.valid && mark.LessEq(u.mark) {
		return
	}
	*u = urgent{mark: mark, valid: true}
	c.events |= Urgent
}

// readSeq is the sequence number of the next byte the user will read.
func (r *receiver) readSeq() Seq { return r.dataNxt().Add(-r.buf.Len()) }

// dataNxt is the sequence number after the last byte in the queue: RCV.NXT without the peer's FIN and without the bytes that were
// discarded because the user had shut down reading.
func (r *receiver) dataNxt() Seq {
	switch {
	case r.shut:
		return r.shutAt
	case r.closed:
		return r.fin
	}
	return r.nxt
}

// beforeMark is how many of n bytes may be read in one go: a read ends before the mark. At the mark itself, a byte
// that is not inline is skipped first.
func (c *Conn) beforeMark(n int) int {
	u, r := &c.rcv.urgent, &c.rcv
	if !u.valid || n == 0 {
		return n
	}
	ahead := u.mark.Sub(r.readSeq())
	switch {
	case ahead > 0:
		return min(n, ahead)
	case ahead < 0:
		u.valid = false
	case c.params.OOBInline:
		u.valid = false
	case r.buf.Len() > 0:
		if !u.read { // it stays readable out of band, as on Linux, until the next one
			r.oob, r.oobHeld = r.buf.At(0), true
		}
		r.buf.Discard(1)
		u.valid = false
	}
	return n
}

// AtMark says whether the next byte to be read is the last urgent one (sockatmark).
func (c *Conn) AtMark() bool {
	return c.rcv.urgent.valid && c.rcv.urgent.mark == c.rcv.readSeq()
}

// UrgentPending says whether urgent data is announced that the user has not read up to.
func (c *Conn) UrgentPending() bool { return c.rcv.urgent.valid && !c.rcv.urgent.read || c.rcv.oobHeld }

// ReadUrgent returns the last urgent byte out of band. here is false while it is announced but has not arrived; ok is
// false when there is none, it was read before, or it is inline.
func (c *Conn) ReadUrgent(peek bool) (b byte, here, ok bool) {
	u, r := &c.rcv.urgent, &c.rcv
	if r.oobHeld {
		r.oobHeld = peek
		return r.oob, true, true
	}
	if !u.valid || u.read || c.params.OOBInline {
		return 0, false, false
	}
	offset := u.mark.Sub(r.readSeq())
	if offset >= r.buf.Len() {
		return 0, false, true
	}
	u.read = !peek
	return r.buf.At(offset), true, true
}
