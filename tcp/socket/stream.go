package socket

import (
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/sendq"
	"tunstack/tcp"
)

// Read moves received octets to p: EAGAIN when there are none, (0, nil) at the end of the stream, ENOTCONN, and once the
// pending error (ECONNRESET, ETIMEDOUT). peek leaves them in place.
func (e *Endpoint) Read(p []byte, peek bool) (n int, err error) {
	err = e.read(len(p) == 0, func(now time.Duration) int {
		if peek {
			n = e.conn.Peek(p)
		} else {
			n = e.conn.Read(now, p)
		}
		return n
	})
	return n, err
}

// read lets take have octets, and says why there were none; nothing is an error for a reader who wants none.
func (e *Endpoint) read(none bool, take func(now time.Duration) int) error {
	now := e.lock()
	defer e.release(now)
	switch {
	case e.conn == nil:
		return syscall.ENOTCONN
	case take(now) > 0:
		return nil
	case e.err != 0 && !e.conn.PeerClosed(): // after its FIN nothing that goes wrong concerns the reader, as in Linux
		return e.takeError()
	case e.conn.AtEOF() || none:
		return nil
	}
	return syscall.EAGAIN
}

// Take is Read without a copy: it moves up to n received octets to the caller in the Buffers they lie in, none at the end
// of the stream. more says that another call would not be EAGAIN; if not, the waiters are told when that changes.
func (e *Endpoint) Take(n int) (q packet.Queue, more bool, err error) {
	err = e.read(n == 0, func(now time.Duration) int {
		q = e.conn.Take(now, n)
		more = e.readable()
		return q.Len()
	})
	return q, more, err
}

// readable says whether a reader learns anything: octets, the end of the stream, an error.
func (e *Endpoint) readable() bool { return e.err != 0 || e.conn.Readable() > 0 || e.conn.AtEOF() }

// Write queues octets of p, perhaps not all: EAGAIN when none fits; EPIPE after Shutdown or the connection's end, and once
// the pending error. more (MSG_MORE) holds back a partial segment. p is copied.
func (e *Endpoint) Write(p []byte, more bool) (int, error) {
	return e.write(p, func(c *tcp.Conn, now time.Duration, p []byte) int {
		c.More(more)
		return c.Write(now, p)
	})
}

// Lend is Write without a copy of what is long: it is sent from where it lies until the loan is returned.
func (e *Endpoint) Lend(p []byte, loan *sendq.Loan) (int, error) {
	return e.write(p, func(c *tcp.Conn, now time.Duration, p []byte) int {
		c.More(false)
		return c.Lend(now, p, loan)
	})
}

func (e *Endpoint) write(p []byte, queue func(*tcp.Conn, time.Duration, []byte) int) (int, error) {
	now := e.lock()
	defer e.unlock(now)
	if err := e.takeError(); err != nil {
		return 0, err
	}
	if e.conn == nil || !e.conn.CanSend() {
		return 0, syscall.EPIPE
	}
	if s := e.conn.State(); s == tcp.SynSent || s == tcp.SynReceived {
		return 0, syscall.EAGAIN
	}
	n := queue(e.conn, now, p)
	if n == 0 && len(p) > 0 {
		return 0, syscall.EAGAIN
	}
	return n, nil
}

// WriteUrgent is Write with the last octet marked as urgent (MSG_OOB).
func (e *Endpoint) WriteUrgent(p []byte) (int, error) { return e.write(p, (*tcp.Conn).WriteUrgent) }

// ReadUrgent returns the last urgent octet (MSG_OOB). Errors: EAGAIN while it is announced but has not arrived, EINVAL when there
// is none, it was read before, or SO_OOBINLINE leaves it in the stream; ENOTCONN.
func (e *Endpoint) ReadUrgent(peek bool) (byte, error) {
	defer e.release(e.lock())
	if e.conn == nil {
		return 0, syscall.ENOTCONN
	}
	switch b, here, ok := e.conn.ReadUrgent(peek); {
	case !ok:
		return 0, syscall.EINVAL
	case !here:
		return 0, syscall.EAGAIN
	default:
		return b, nil
	}
}

// AtMark says whether the next octet to be read is the last urgent one (SIOCATMARK).
func (e *Endpoint) AtMark() bool {
	defer e.release(e.lock())
	return e.conn != nil && e.conn.AtMark()
}
