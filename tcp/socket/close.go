package socket

import (
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/tcp"
)

// Shutdown ends reading, writing or both (POSIX shutdown). On a listener, ending reading ends listening. Errors: ENOTCONN.
func (e *Endpoint) Shutdown(read, write bool) error {
	now := e.lock()
	defer e.unlock(now)
	if e.listener != nil && read {
		e.stopListening(now)
		e.waiters.Notify(poll.In | poll.Hup)
		return nil
	}
	if e.conn == nil || e.conn.State() == tcp.Closed || e.conn.State() == tcp.SynSent {
		return syscall.ENOTCONN
	}
	if read {
		e.readShut = true
		e.conn.CloseRead()
	}
	if write {
		e.conn.CloseWrite(now)
		e.waiters.Notify(poll.Out)
	}
	return nil
}

// Close gives the socket up: queued data still goes out, unless data was left unread or SetLinger(true, 0) asks for a RST.
// What remains to be done happens without an owner. Closing a listener resets what was not accepted.
// SO_LINGER with a time is the caller's part: it waits for Lingering to become false.
func (e *Endpoint) Close() error {
	now := e.lock()
	defer e.unlock(now)
	if e.linger.on && e.linger.d == 0 {
		e.giveUp(now, (*tcp.Conn).Abort)
	} else {
		e.giveUp(now, (*tcp.Conn).Close)
	}
	return nil
}

// Abort resets the connection (RFC 9293 section 3.10.5) and gives the socket up.
func (e *Endpoint) Abort() {
	now := e.lock()
	defer e.unlock(now)
	e.giveUp(now, (*tcp.Conn).Abort)
}

// giveUp ends the ownership of the socket, and its connection by end.
func (e *Endpoint) giveUp(now time.Duration, end func(*tcp.Conn, time.Duration)) {
	e.closed = true
	if e.listener != nil {
		e.stopListening(now)
	}
	if e.conn != nil {
		end(e.conn, now)
		e.orphaned(now)
	}
	e.releasePort()
	e.waiters.Notify(poll.Hup)
}

func (e *Endpoint) stopListening(now time.Duration) {
	l := e.listener
	e.listener = nil
	l.close(now)
}

// Lingering says whether sent data or the FIN is still unacknowledged; the waiters are told Hup when that ends.
func (e *Endpoint) Lingering() bool {
	defer e.unlock(e.lock())
	return e.conn != nil && !e.conn.Delivered()
}
