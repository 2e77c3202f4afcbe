package socket

import (
	"net/netip"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/tcp"
)

// attempt is the progress of Connect, Linux's socket_state. It is what the user knows: a connection may have been established, or have
// ended, before Connect returns that.
type attempt uint8

const (
	unconnected attempt = iota
	connecting          // Connect has returned EINPROGRESS, and not yet the outcome
	connected
	spoilt // Shutdown came in between: Connect is possible again after Disconnect only
)

// Connect starts an active open: EINPROGRESS at the first call, EALREADY while it lasts, then nil once, and EISCONN after that. When
// the attempt has failed it returns the pending error (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...), or ECONNABORTED if that was
// taken meanwhile, and may be called anew. Errors at once: ENETUNREACH, EADDRNOTAVAIL when the pair of addresses is in use or no
// port is free, EINVAL for an invalid address.
func (so *Socket) Connect(remote netip.AddrPort) error {
	h := so.begin()
	defer h.commit()
	_, listening := h.state.(*listener)
	switch c, _ := h.connection(); {
	case h.closed || h.attempt == spoilt:
		return syscall.EINVAL
	case h.attempt == connected || listening:
		return syscall.EISCONN
	case h.attempt == unconnected:
		return h.open(remote)
	case h.over():
		err := h.takeError()
		h.disconnect()
		if err == nil {
			return syscall.ECONNABORTED
		}
		return err
	case c.opening():
		return syscall.EALREADY
	}
	h.attempt = connected
	return nil
}

// opening reports whether the handshake lasts.
func (h heldConn) opening() bool {
	return h.tcb.State() == tcp.SynSent || h.tcb.State() == tcp.SynReceived
}

// over reports whether the socket neither listens nor has a connection, except in TIME-WAIT, which Linux counts among the closed.
func (h held) over() bool {
	switch st := h.state.(type) {
	case *listener:
		return false
	case *connection:
		return st.tcb.State() == tcp.Closed || st.tcb.State() == tcp.TimeWait
	}
	return true
}

// Disconnect makes a connected or listening socket idle (connect of AF_UNSPEC). It resets a connection, and ECONNRESET is the
// pending error. An address and a port that Bind was told stay. Errors: EINVAL when closed.
func (so *Socket) Disconnect() error {
	h := so.begin()
	defer h.commit()
	if h.closed {
		return syscall.EINVAL
	}
	h.disconnect()
	return nil
}

func (h held) disconnect() {
	alive := !h.over()
	switch st := h.state.(type) {
	case *listener:
		h.stopListening(st)
	case *connection:
		st.tcb.Abort(h.now)
		heldConn{st, h.now}.settle() // sends the RST, and takes the connection out of the table
		if alive {
			h.err = syscall.ECONNRESET
		}
	}
	h.state, h.attempt, h.readShut, h.writeShut = idle{}, unconnected, false, false
	h.waiters.Notify(poll.In | poll.Out | poll.Hup)
}

// open finds route and port and starts the machine; commit sends its SYN.
func (h held) open(remote netip.AddrPort) error {
	s := h.stack
	route, err := h.routeTo(remote.Addr().Unmap())
	if err != nil {
		return err
	}
	if route.Cast() != packet.Unicast { // RFC 9293 section 3.9.1.1, MUST-46
		return syscall.ENETUNREACH
	}
	remote = netip.AddrPortFrom(route.Dst, remote.Port())
	c := h.newConnection(h.now, flow{id: ip.NewFourTuple(netip.AddrPortFrom(route.Src, 0), remote), route: route})
	if err := h.claim(c, remote); err != nil {
		return err
	}
	c.tcb = tcp.Open(h.now, &s.cfg.Config, h.params, s.setup(h.now, &c.flow, &h.settings))
	if h.readShut {
		c.tcb.CloseRead()
	}
	h.state, h.attempt, h.err = c, connecting, 0
	return syscall.EINPROGRESS
}

// routeTo is the route of a new connection. A link-local peer binds the socket to its interface.
func (h held) routeTo(dst netip.Addr) (*ip.Route, error) {
	dst, zone, err := h.Scope(h.stack.ip, h.Versions.ThisHost(dst, h.addr()))
	if err != nil {
		return nil, err
	}
	if err := h.Versions.CanReach(dst, h.addr()); err != nil {
		return nil, err
	}
	if h.Device == nil {
		h.bindTo(zone)
	}
	return h.stack.ip.RouteVia(dst, h.addr(), h.Via())
}

// claim enters c into the table, with the bound port or an ephemeral one. The error is EADDRNOTAVAIL.
func (h held) claim(c *connection, remote netip.AddrPort) error {
	s := h.stack
	insert := func(port uint16) bool {
		c.id.LocalPort = port
		return s.conns.insert(c)
	}
	if bound := h.port.Port(); bound != 0 {
		if !insert(bound) {
			return syscall.EADDRNOTAVAIL
		}
		return nil
	}
	r, err := s.ports.Within(h.Ports).Connect(c.route.Src, remote, h.reuse, insert)
	if err == nil {
		h.port = r
	}
	return err
}
