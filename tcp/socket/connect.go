package socket

import (
	"net/netip"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

// Connect starts an active open: EINPROGRESS at the first call, EALREADY while it lasts, EISCONN once connected; the pending
// error (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...) once when it has failed; at once ENETUNREACH, EADDRNOTAVAIL when the
// pair of addresses is in use or no port is free, EINVAL for an invalid address. After a failure it may be called anew.
func (so *Socket) Connect(remote netip.AddrPort) error {
	h := so.begin()
	defer h.commit()
	if err := h.takeError(); err != nil {
		return err
	}
	if h.closed {
		return syscall.EINVAL
	}
	switch st := h.state.(type) {
	case *listener:
		return syscall.EISCONN
	case *connection:
		if st.established {
			return syscall.EISCONN
		}
		if !st.gone {
			return syscall.EALREADY
		}
	}
	h.state = idle{}
	return h.open(remote)
}

// open finds route and port and starts the machine; commit sends its SYN.
func (h held) open(remote netip.AddrPort) error {
	s := h.stack
	remote, err := s.destination(remote)
	if err != nil {
		return err
	}
	route, err := s.ip.RouteVia(remote.Addr(), h.addr(), h.Via())
	if err != nil {
		return err
	}
	c := h.newConnection(h.now, flow{id: ip.NewFourTuple(netip.AddrPortFrom(route.Src, 0), remote), route: route})
	if err := h.claim(c, remote); err != nil {
		return err
	}
	c.tcb = tcp.Open(h.now, &s.cfg.Config, h.params, s.setup(h.now, &c.flow, &h.settings))
	h.state = c
	return syscall.EINPROGRESS
}

// destination is the address of a peer, or the reason why there can be no connection to it.
func (s *Stack) destination(remote netip.AddrPort) (netip.AddrPort, error) {
	addr := remote.Addr().Unmap()
	family := s.ip.FamilyOf(addr)
	if family == nil {
		return remote, syscall.EINVAL
	}
	if addr.IsUnspecified() { // the stack itself, as on Linux
		addr = family.Loopback().Addr()
	}
	if s.ip.CastOf(addr) != packet.Unicast { // RFC 9293 section 3.9.1.1, MUST-46
		return remote, syscall.ENETUNREACH
	}
	return netip.AddrPortFrom(addr, remote.Port()), nil
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
