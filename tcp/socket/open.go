package socket

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/tcp"
)

// Bind gives the socket its own address. Port 0 picks a free one; a zero or unspecified Addr is the wildcard. Errors:
// EADDRINUSE, EADDRNOTAVAIL for an address that is not the host's, EINVAL when already bound or closed.
func (e *Endpoint) Bind(local netip.AddrPort) error {
	defer e.release(e.lock())
	if e.bound || e.conn != nil || e.closed {
		return syscall.EINVAL
	}
	addr := local.Addr().Unmap()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	if e.demux.ip.FamilyOf(addr) == nil || !addr.IsUnspecified() && !e.demux.ip.IsLocal(addr) {
		return syscall.EADDRNOTAVAIL
	}
	if local.Port() == 0 && e.NoPort {
		e.port, e.bound = ports.AddressOnly(addr), true
		return nil
	}
	return e.reserve(addr, local.Port())
}

// reserve takes a port at an own address; 0: any.
func (e *Endpoint) reserve(addr netip.Addr, port uint16) error {
	r, err := e.demux.ports.Within(e.Ports).Bind(netip.AddrPortFrom(addr, port), e.reuse)
	if err != nil {
		return err
	}
	e.port, e.bound = r, true
	return nil
}

// Listen makes the socket accept connections; of those established but not accepted it holds one more than backlog. A
// second call changes the backlog. An unbound socket gets an ephemeral port. Errors: EINVAL on a connected socket,
// EADDRINUSE when another listener has the port.
func (e *Endpoint) Listen(backlog int) error {
	if err := e.bindAny(); err != nil {
		return err
	}
	defer e.release(e.lock())
	backlog = max(backlog, 0)
	switch {
	case e.conn != nil || e.closed:
		return syscall.EINVAL
	case e.listener != nil:
		e.listener.setBacklog(backlog)
		return nil
	}
	if e.port.Port() == 0 { // bound with IP_BIND_ADDRESS_NO_PORT
		if err := e.reserve(e.port.Addr(), 0); err != nil {
			return err
		}
	}
	port, err := e.demux.ports.Listen(e.port)
	if err != nil {
		return err
	}
	e.port = port
	e.listener = &listener{demux: e.demux, endpoint: e, addr: port.Addr(), port: port.Port(), backlog: backlog, half: make(map[*Endpoint]struct{})}
	e.demux.listeners.add(e.listener)
	return nil
}

// bindAny binds a socket that has no address yet to an ephemeral port of the wildcard.
func (e *Endpoint) bindAny() error {
	if err := e.Bind(netip.AddrPort{}); err != nil && err != syscall.EINVAL {
		return err
	}
	return nil
}

// Accept returns the connection that has waited longest. Errors: EAGAIN, EINVAL when not listening.
func (e *Endpoint) Accept() (*Endpoint, error) {
	now := e.lock()
	l := e.listener
	e.unlock(now)
	if l == nil {
		return nil, syscall.EINVAL
	}
	child, err := l.take()
	if err != nil {
		return nil, err
	}
	child.mu.Lock()
	defer child.release(now)
	child.parent = nil
	child.bound = true
	return child, nil
}

// Connect starts an active open: EINPROGRESS at the first call, EALREADY while it lasts, EISCONN once connected; the pending
// error (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...) once when it has failed; at once ENETUNREACH, EADDRNOTAVAIL when the
// pair of addresses is in use or no port is free, EINVAL for an address that is none. After a failure it may be called anew.
func (e *Endpoint) Connect(remote netip.AddrPort) error {
	now := e.lock()
	defer e.unlock(now)
	if err := e.takeError(); err != nil {
		return err
	}
	switch {
	case e.closed:
		return syscall.EINVAL
	case e.listener != nil || e.established:
		return syscall.EISCONN
	case e.conn != nil && !e.gone:
		return syscall.EALREADY
	}
	e.conn, e.gone = nil, false
	return e.open(now, remote)
}

// open finds route and port and starts the machine; its SYN leaves when the caller unlocks.
func (e *Endpoint) open(now time.Duration, remote netip.AddrPort) error {
	d := e.demux
	addr := remote.Addr().Unmap()
	family := d.ip.FamilyOf(addr)
	if family == nil {
		return syscall.EINVAL
	}
	if addr.IsUnspecified() { // the stack itself, as on Linux
		addr = family.Loopback().Addr()
	}
	if d.ip.CastOf(addr) != packet.Unicast { // RFC 9293 section 3.9.1.1, MUST-46
		return syscall.ENETUNREACH
	}
	var src netip.Addr
	if e.bound {
		src = e.port.Addr()
	}
	route, err := d.ip.RouteVia(addr, src, e.Via())
	if err != nil {
		return err
	}
	peer := netip.AddrPortFrom(addr, remote.Port())
	e.flow = flow{id: ip.NewFourTuple(netip.AddrPortFrom(route.Src, 0), peer), route: route}
	claim := func(port uint16) bool {
		e.id.LocalPort = port
		return d.conns.insert(e)
	}
	if e.port.Port() != 0 {
		if !claim(e.port.Port()) {
			return syscall.EADDRNOTAVAIL
		}
	} else if e.port, err = d.ports.Within(e.Ports).Connect(route.Src, peer, e.reuse, claim); err != nil {
		return err
	}
	e.soft = 0
	e.conn = tcp.Open(now, &d.cfg.Config, e.params, d.setup(now, &e.flow, &e.settings))
	return syscall.EINPROGRESS
}
