package socketapi

import (
	"cmp"
	"net/netip"
	"syscall"

	"tunstack/ip"
)

// Berkeley is a stack with the Berkeley socket calls. Descriptors are the stack's, not the process's. Errors are the syscall.Errno
// that Linux returns. Numbers, option names and structs are Linux's on every platform. Addresses are netip.AddrPort; the zero value
// is AF_UNSPEC. An IPv4 address and its IPv4-mapped form are the same address to the calls, whatever the family of the socket; ParseSockaddr
// compares the families as Linux does. A link-local address has its interface as zone.
type Berkeley struct{ *Stack }

// Berkeley returns the stack with the Berkeley calls.
func (s *Stack) Berkeley() Berkeley { return Berkeley{s} }

// Bind gives a socket its local address. The unspecified address stands for all addresses of the stack, port 0 for a free port.
// Errors: EBADF, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL when it is bound already or for an address without the zone that it
// needs, ENODEV for a zone that the stack does not have.
func (s Berkeley) Bind(fd int, local netip.AddrPort) error {
	so, err := s.sockets.get(fd)
	if err != nil {
		return err
	}
	return so.bind(local)
}

func (so *socket) bind(local netip.AddrPort) error {
	return so.Bind(unmap(local))
}

// unmap returns the address as the layers below have it: an IPv4-mapped one is an IPv4 address.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// shown is the address as a socket of the family shows it: one of AF_INET6 has IPv4 addresses in the IPv4-mapped form.
func (so *socket) shown(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(so.shownAddr(a.Addr()), a.Port())
}

func (so *socket) shownAddr(a netip.Addr) netip.Addr {
	if so.domain == AF_INET6 && a.Is4() {
		return netip.AddrFrom16(a.As16())
	}
	return a
}

// Listen makes a bound stream socket accept connections; at most backlog of them wait for Accept. Errors: EBADF,
// EINVAL when it is connected, EOPNOTSUPP when it is not a stream, EADDRINUSE.
func (s Berkeley) Listen(fd, backlog int) error {
	so, err := s.sockets.get(fd)
	if err != nil {
		return err
	}
	return so.Listen(backlog)
}

// Accept takes the oldest waiting connection of a listener and returns its descriptor and its peer. Errors: EBADF,
// EAGAIN, EINVAL when the socket does not listen, EOPNOTSUPP when it is not a stream.
func (s Berkeley) Accept(fd int) (conn int, peer netip.AddrPort, err error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	c, err := so.accept()
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	peer, _ = c.Remote()
	return c.fd, c.shown(peer), nil
}

func (so *socket) accept() (*socket, error) {
	var ep endpoint
	err := so.wait(&so.rd, so.nonblock.Load(), func() (err error) {
		ep, err = so.endpoint.accept()
		return err
	})
	if err != nil {
		return nil, err
	}
	conn, err := so.stack.install(int(so.domain), int(so.typ), int(so.proto), ep)
	if err == nil {
		conn.inherit(so)
	}
	return conn, err
}

// Connect connects a stream socket, or sets the peer of a datagram or raw socket. The zero AddrPort (AF_UNSPEC) removes the peer
// again, and resets the connection of a stream. 0.0.0.0 stands for the socket's local address, or the loopback's. A non-blocking stream
// returns EINPROGRESS, and EALREADY if called again before it shows POLLOUT; then SO_ERROR is the outcome. Other errors: EBADF,
// ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EISCONN, EADDRNOTAVAIL, EAFNOSUPPORT, ECONNABORTED when an attempt has failed and its
// error was read before, EINVAL after Shutdown of an attempt, and EINVAL and ENODEV for a zone as Bind.
func (s Berkeley) Connect(fd int, remote netip.AddrPort) error {
	so, err := s.sockets.get(fd)
	if err != nil {
		return err
	}
	return so.connect(remote)
}

func (so *socket) connect(remote netip.AddrPort) error {
	remote = unmap(remote)
	var pending error // the first result of an attempt that is in progress
	err := so.wait(&so.wr, so.nonblock.Load(), func() error {
		err := so.Connect(remote)
		if err != syscall.EINPROGRESS && err != syscall.EALREADY {
			return err
		}
		pending = cmp.Or(pending, err)
		return syscall.EAGAIN
	})
	if err == syscall.EAGAIN && pending != nil {
		return pending
	}
	return err
}

// Shutdown ends receiving (SHUT_RD), sending (SHUT_WR: a stream sends its FIN after the queued data) or both. Errors:
// EBADF, ENOTCONN, EINVAL.
func (s Berkeley) Shutdown(fd, how int) error {
	so, err := s.sockets.get(fd)
	if err != nil {
		return err
	}
	if how < SHUT_RD || how > SHUT_RDWR {
		return syscall.EINVAL
	}
	return so.Shutdown(how != SHUT_WR, how != SHUT_RD)
}

// GetSockName is a socket's local address; 0.0.0.0 or :: while it is not bound. Errors: EBADF.
func (s Berkeley) GetSockName(fd int) (netip.AddrPort, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return so.shown(so.name()), nil
}

func (so *socket) name() netip.AddrPort {
	local := so.Local()
	if !local.Addr().IsValid() {
		return netip.AddrPortFrom(so.ip().Versions.Wildcard(), local.Port())
	}
	if a := local.Addr(); ip.NeedsZone(a) && a.Zone() == "" { // a group, which a Bind with a zone has bound to the interface
		if d := so.ip().Device; d != nil {
			return netip.AddrPortFrom(a.WithZone(d.Name()), local.Port())
		}
	}
	return local
}

// GetPeerName is the address a socket is connected to. Errors: EBADF, ENOTCONN.
func (s Berkeley) GetPeerName(fd int) (netip.AddrPort, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	peer, ok := so.Remote()
	if !ok {
		return netip.AddrPort{}, syscall.ENOTCONN
	}
	return so.shown(peer), nil
}
