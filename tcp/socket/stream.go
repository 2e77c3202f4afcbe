package socket

import (
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/sendq"
	"tunstack/tcp"
)

// Read moves received bytes to p: EAGAIN when there are none, (0, nil) at the end of the stream, ENOTCONN, and once the
// pending error (ECONNRESET, ETIMEDOUT). peek leaves them in place.
func (so *Socket) Read(p []byte, peek bool) (n int, err error) {
	err = so.read(len(p) == 0, func(h heldConn) int {
		if peek {
			n = h.tcb.Peek(p)
		} else {
			n = h.tcb.Read(h.now, p)
		}
		return n
	})
	return n, err
}

// read calls take, which returns how many bytes it got, and returns the reason if there were none. As on Linux a reader who wants
// none waits for some.
func (so *Socket) read(none bool, take func(heldConn) int) error {
	h := so.begin()
	defer h.commitLater()
	c, ok := h.connection()
	_, listening := h.state.(*listener)
	switch {
	case listening:
		return syscall.ENOTCONN
	case ok && (take(c) > 0 || none && c.tcb.Readable() > 0):
		return nil
	case h.err != 0 && !(ok && c.tcb.PeerClosed()): // after the peer's FIN no error concerns the reader, as in Linux
		return h.takeError()
	case h.readShut || ok && c.tcb.AtEOF():
		return nil
	case !ok:
		return syscall.ENOTCONN
	}
	return syscall.EAGAIN
}

// Take is Read without a copy: it moves up to n received bytes to the caller in the Buffers they lie in, none at the end
// of the stream. more says that another call would not be EAGAIN; if not, the waiters are told when that changes.
func (so *Socket) Take(n int) (q packet.Stream, more bool, err error) {
	err = so.read(n == 0, func(h heldConn) int {
		q = h.tcb.Take(h.now, n)
		more = h.readable()
		return q.Len()
	})
	return q, more, err
}

// readable reports whether a read would return bytes, the end of the stream or an error.
func (h heldConn) readable() bool { return h.err != 0 || h.tcb.Available() > 0 || h.tcb.AtEOF() }

// Write queues bytes of p, perhaps not all: EAGAIN when none fits; EPIPE after Shutdown or the connection's end, and once
// the pending error. more (MSG_MORE) holds back a partial segment. p is copied.
func (so *Socket) Write(p []byte, more bool) (int, error) {
	return so.write(p, func(c *tcp.Conn, now time.Duration, p []byte) int {
		c.More(more)
		return c.Write(now, p)
	})
}

// Lend is Write without a copy of long data: p itself is sent, and must not change until the loan is returned.
func (so *Socket) Lend(p []byte, loan *sendq.Loan) (int, error) {
	return so.write(p, func(c *tcp.Conn, now time.Duration, p []byte) int {
		c.More(false)
		return c.Lend(now, p, loan)
	})
}

func (so *Socket) write(p []byte, queue func(*tcp.Conn, time.Duration, []byte) int) (int, error) {
	h := so.begin()
	defer h.commit()
	if err := h.takeError(); err != nil {
		return 0, err
	}
	c, ok := h.connection()
	if !ok || h.writeShut || !c.tcb.CanSend() {
		return 0, syscall.EPIPE
	}
	if s := c.tcb.State(); s == tcp.SynSent || s == tcp.SynReceived {
		return 0, syscall.EAGAIN
	}
	n := queue(c.tcb, h.now, p)
	if n == 0 && len(p) > 0 {
		return 0, syscall.EAGAIN
	}
	return n, nil
}

// WriteUrgent is Write with the last byte marked as urgent (MSG_OOB).
func (so *Socket) WriteUrgent(p []byte) (int, error) { return so.write(p, (*tcp.Conn).WriteUrgent) }

// ReadUrgent returns the last urgent byte (MSG_OOB). Errors: EAGAIN while it is announced but has not arrived, EINVAL when there
// is none, it was read or passed before, or SO_OOBINLINE leaves it in the stream; ENOTCONN of a listener.
func (so *Socket) ReadUrgent(peek bool) (byte, error) {
	h := so.begin()
	defer h.commitLater()
	c, ok := h.connection()
	if _, listening := h.state.(*listener); listening {
		return 0, syscall.ENOTCONN
	}
	if !ok {
		return 0, syscall.EINVAL
	}
	if peek {
		return c.tcb.PeekUrgent()
	}
	return c.tcb.ReadUrgent()
}

// AtMark reports whether the next byte to be read is the last urgent one (SIOCATMARK).
func (so *Socket) AtMark() bool {
	h := so.begin()
	defer h.commitLater()
	c, ok := h.connection()
	return ok && c.tcb.AtMark()
}
