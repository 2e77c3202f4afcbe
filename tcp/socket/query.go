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
		if c := (heldConn{st, h.now}); !c.opening() {
			return c.ready() | h.ends() | h.pending()
		}
	}
	return h.ends() | h.pending()
}

// ready is what a connection can do in its present state.
func (h heldConn) ready() (m poll.Mask) {
	if h.tcb.UrgentPending() {
		m |= poll.Pri
	}
	if h.tcb.ReachesLowat() {
		m |= poll.In
	}
	if h.tcb.Writable() || h.writeShut {
		m |= poll.Out
	}
	return m
}

// pending is what errors show.
func (h held) pending() poll.Mask {
	if h.err != 0 || h.rare != nil && h.rare.errors.Len() > 0 {
		return poll.Err
	}
	return 0
}

// ends is what the ends of receiving and sending show. A writer of a socket without a connection learns at once that there is none.
func (h held) ends() (m poll.Mask) {
	c, ok := h.connection()
	over := h.over()
	read := h.readShut || ok && (over || c.tcb.PeerClosed())
	if read {
		m |= poll.In | poll.RdHup
	}
	if over {
		m |= poll.Out | poll.Hup
	}
	if read && h.writeShut {
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
	c, ok := h.connection()
	if !ok || h.over() || c.tcb.State() == tcp.SynSent {
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
	return cmp.Or(h.params.MaxSeg, tcp.DefaultMSS(tcp.IPv4Header))
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

// PathMTU is the path MTU to the peer (IP_MTU). Errors: ENOTCONN.
func (so *Socket) PathMTU() (int, error) {
	h := so.begin()
	defer h.commitLater()
	c, ok := h.connection()
	if !ok || h.over() {
		return 0, syscall.ENOTCONN
	}
	return c.route.MTU(), nil
}

// Buffered is the number of bytes readable now, before the mark of urgent data if there is one (SIOCINQ), and queued unacknowledged
// (SIOCOUTQ). Errors: EINVAL of a listener.
func (so *Socket) Buffered() (in, out int, err error) {
	h := so.begin()
	defer h.commitLater()
	switch st := h.state.(type) {
	case *listener:
		return 0, 0, syscall.EINVAL
	case *connection:
		if c := (heldConn{st, h.now}); !c.opening() {
			return c.tcb.BeforeMark(), c.tcb.Unacked(), nil
		}
	}
	return 0, 0, nil
}
