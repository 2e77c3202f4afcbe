package socket

import (
	"net/netip"
	"syscall"

	"tunstack/internal/poll"
	"tunstack/ip/errqueue"
	"tunstack/tcp"
)

// Ready is what the socket can do now, as Linux's tcp_poll has it.
func (e *Endpoint) Ready() poll.Mask {
	defer e.release(e.lock())
	switch {
	case e.listener != nil:
		if e.listener.waiting() > 0 {
			return poll.In
		}
		return 0
	case e.conn == nil:
		return poll.Out | poll.Hup
	}
	c := e.conn
	var m poll.Mask
	if e.rare != nil && e.rare.errors.Len() > 0 {
		m |= poll.Err
	}
	if e.err != 0 {
		m |= poll.Err | poll.In | poll.Out
	}
	if c.UrgentPending() {
		m |= poll.Pri
	}
	if c.ReachesLowat() || c.AtEOF() {
		m |= poll.In
	}
	if c.PeerClosed() || e.readShut || c.State() == tcp.Closed {
		m |= poll.In | poll.RdHup
	}
	if c.Writable() {
		m |= poll.Out
	}
	if c.State() == tcp.Closed || c.State() == tcp.TimeWait || (c.PeerClosed() || e.readShut) && !c.CanSend() {
		m |= poll.Hup
	}
	return m
}

// Transferred is how many octets have been received in order, or sent and acknowledged.
func (e *Endpoint) Transferred() uint64 {
	defer e.release(e.lock())
	if e.conn == nil {
		return 0
	}
	return progress(e.conn)
}

// Waiters are told whenever Ready gains an event.
func (e *Endpoint) Waiters() *poll.Queue { return &e.waiters }

// RecvError removes the oldest entry of the error queue (MSG_ERRQUEUE). Errors: EAGAIN.
func (e *Endpoint) RecvError() (errqueue.Error, error) {
	defer e.release(e.lock())
	if e.rare == nil {
		return errqueue.Error{}, syscall.EAGAIN
	}
	return e.rare.errors.Pop(&e.err)
}

// TakeError returns and clears the pending error (SO_ERROR).
func (e *Endpoint) TakeError() error {
	defer e.release(e.lock())
	return e.takeError()
}

func (e *Endpoint) takeError() error {
	if e.err == 0 {
		return nil
	}
	err := e.err
	e.err = 0
	return err
}

// Local is the own address; the zero AddrPort before Bind or Connect.
func (e *Endpoint) Local() netip.AddrPort {
	defer e.release(e.lock())
	switch {
	case e.conn != nil:
		return e.id.Local()
	case e.bound:
		return e.port.Local()
	}
	return netip.AddrPort{}
}

// Remote is the peer's address; false when not connected.
func (e *Endpoint) Remote() (netip.AddrPort, bool) {
	defer e.release(e.lock())
	if e.conn == nil || e.conn.State() == tcp.Closed || e.conn.State() == tcp.SynSent {
		return netip.AddrPort{}, false
	}
	return e.id.Remote(), true
}

// MSS is the effective send MSS in octets (TCP_MAXSEG reads it).
func (e *Endpoint) MSS() int {
	defer e.release(e.lock())
	switch {
	case e.conn != nil:
		return e.conn.MSS()
	case e.params.MaxSeg > 0:
		return e.params.MaxSeg
	}
	return tcp.DefaultMSS
}

// Info is TCP_INFO.
func (e *Endpoint) Info() tcp.Info {
	defer e.release(e.lock())
	switch {
	case e.listener != nil:
		return tcp.Info{State: tcp.Listen}
	case e.conn == nil:
		return tcp.Info{}
	}
	return e.conn.Info()
}

// Buffered is the number of octets readable now (FIONREAD) and queued unacknowledged (SIOCOUTQ).
func (e *Endpoint) Buffered() (in, out int) {
	defer e.release(e.lock())
	if e.conn == nil {
		return 0, 0
	}
	return e.conn.Readable(), e.conn.Unacked()
}
