package socket

import (
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/tcp"
)

// Shutdown ends reading, writing or both (POSIX shutdown). On a listener, ending reading ends listening; in SYN-SENT it ends the
// attempt, with ECONNRESET pending. Errors: ENOTCONN, which ends reading and writing of a later connection nevertheless, as on Linux.
func (so *Socket) Shutdown(read, write bool) error {
	h := so.begin()
	defer h.commit()
	_, listening := h.state.(*listener)
	switch c, ok := h.connection(); {
	case listening && !read:
		return nil
	case listening || ok && c.tcb.State() == tcp.SynSent:
		h.disconnect()
		return nil
	case h.attempt == connecting && (h.over() || c.opening()):
		h.attempt = spoilt
	case h.attempt == connecting:
		h.attempt = connected
	}
	h.readShut, h.writeShut = h.readShut || read, h.writeShut || write
	h.waiters.Notify(poll.In | poll.Out | poll.RdHup | poll.Hup)
	if h.over() {
		return syscall.ENOTCONN
	}
	h.shutConnection(read, write)
	return nil
}

func (h held) shutConnection(read, write bool) {
	c, _ := h.connection()
	if read {
		c.tcb.CloseRead()
	}
	if write {
		c.tcb.CloseWrite(h.now)
	}
}

// Close gives the socket up: queued data is still sent, unless data was left unread or SetLinger(true, 0) asks for a RST. The
// connection ends without a user. Closing a listener resets the connections that were not accepted.
// The caller implements SO_LINGER with a time: it waits until Lingering returns false.
func (so *Socket) Close() error {
	h := so.begin()
	defer h.commit()
	if h.lingers && h.linger == 0 {
		h.giveUp((*tcp.Conn).Abort)
	} else {
		h.giveUp((*tcp.Conn).Close)
	}
	return nil
}

// Abort resets the connection (RFC 9293 section 3.10.5) and gives the socket up.
func (so *Socket) Abort() {
	h := so.begin()
	defer h.commit()
	h.giveUp((*tcp.Conn).Abort)
}

// giveUp notes that the socket has no user any more, and ends its connection by end.
func (h held) giveUp(end func(*tcp.Conn, time.Duration)) {
	h.closed = true
	switch st := h.state.(type) {
	case *listener:
		h.stopListening(st)
	case *connection:
		end(st.tcb, h.now)
		heldConn{st, h.now}.orphaned()
	}
	h.releasePort()
	h.waiters.Notify(poll.Hup)
}

func (h held) stopListening(l *listener) {
	h.state = idle{}
	l.close(h.now)
	h.port = h.stack.ports.Unlisten(h.port)
}

// Lingering reports whether sent data or the FIN is still unacknowledged; the waiters are told Hup when that ends.
func (so *Socket) Lingering() bool {
	h := so.begin()
	defer h.commit()
	c, ok := h.connection()
	return ok && !c.tcb.Delivered()
}
