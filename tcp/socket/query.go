package socket

import (
	"cmp"
	"net/netip"
	"syscall"

	"tunstack/internal/poll"
	"tunstack/ip/errqueue"
	"tunstack/tcp"
)

// Ready is the set of events that poll(2) would report now, as Linux's tcp_poll has it.
func (so *Socket) Ready() poll.Mask {
	h := so.begin()
	defer h.commitLater()
	switch st := h.state.(type) {
	case *listener:
		if st.queued() > 0 {
			return poll.In
		}
		return 0
	case *connection:
		return heldConn{st, h.now}.ready()
	}
	return poll.Out | poll.Hup
}

func (h heldConn) ready() (m poll.Mask) {
	c := h.tcb
	if h.rare != nil && h.rare.errors.Len() > 0 {
		m |= poll.Err
	}
	if h.err != 0 {
		m |= poll.Err | poll.In | poll.Out
	}
	if c.UrgentPending() {
		m |= poll.Pri
	}
	if c.ReachesLowat() || c.AtEOF() {
		m |= poll.In
	}
	if c.PeerClosed() || h.readShut || c.State() == tcp.Closed {
		m |= poll.In | poll.RdHup
	}
	if c.Writable() {
		m |= poll.Out
	}
	if c.State() == tcp.Closed || c.State() == tcp.TimeWait || (c.PeerClosed() || h.readShut) && !c.CanSend() {
		m |= poll.Hup
	}
	return m
}

// Transferred is how many bytes have been received in order, or sent and acknowledged.
func (so *Socket) Transferred() uint64 {
	h := so.begin()
	defer h.commitLater()
	if c, ok := h.connection(); ok {
		return progress(c.tcb)
	}
	return 0
}

// RecvError removes the oldest entry of the error queue (MSG_ERRQUEUE). Errors: EAGAIN.
func (so *Socket) RecvError() (errqueue.Error, error) {
	h := so.begin()
	defer h.commitLater()
	if h.rare == nil {
		return errqueue.Error{}, syscall.EAGAIN
	}
	return h.rare.errors.Pop(&h.err)
}

// TakeError returns and clears the pending error (SO_ERROR).
func (so *Socket) TakeError() error {
	h := so.begin()
	defer h.commitLater()
	return h.takeError()
}

// Local is the own address; the zero AddrPort before Bind or Connect.
func (so *Socket) Local() netip.AddrPort {
	h := so.begin()
	defer h.commitLater()
	if c, ok := h.connection(); ok {
		return c.id.Local()
	}
	if h.bound {
		return h.port.Local()
	}
	return netip.AddrPort{}
}

// Remote is the peer's address; false when not connected.
func (so *Socket) Remote() (netip.AddrPort, bool) {
	h := so.begin()
	defer h.commitLater()
	c, ok := h.connected()
	if !ok {
		return netip.AddrPort{}, false
	}
	return c.id.Remote(), true
}

// MSS is the effective send MSS in bytes (TCP_MAXSEG reads it).
func (so *Socket) MSS() int {
	h := so.begin()
	defer h.commitLater()
	if c, ok := h.connection(); ok {
		return c.tcb.MSS()
	}
	return cmp.Or(h.params.MaxSeg, tcp.DefaultMSS)
}

// Info is TCP_INFO.
func (so *Socket) Info() tcp.Info {
	h := so.begin()
	defer h.commitLater()
	switch st := h.state.(type) {
	case *listener:
		return tcp.Info{State: tcp.Listen}
	case *connection:
		return st.tcb.Info()
	}
	return tcp.Info{}
}

// Buffered is the number of bytes readable now (FIONREAD) and queued unacknowledged (SIOCOUTQ).
func (so *Socket) Buffered() (in, out int) {
	h := so.begin()
	defer h.commitLater()
	if c, ok := h.connection(); ok {
		return c.tcb.Readable(), c.tcb.Unacked()
	}
	return 0, 0
}
