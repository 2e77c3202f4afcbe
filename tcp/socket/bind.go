package socket

import (
	"net/netip"
	"syscall"

	"tunstack/internal/ports"
	"tunstack/ip"
)

// Bind gives the socket its own address. Port 0 picks a free one; a zero or unspecified Addr is the wildcard. Errors:
// EADDRINUSE, EADDRNOTAVAIL for an address that the stack does not have, EINVAL when already bound or closed; those of ip.Versions.CanBind and
// ip.SocketOptions.Scope.
func (so *Socket) Bind(local netip.AddrPort) error {
	h := so.begin()
	defer h.commitLater()
	bound := h.bound || h.closed || h.port.Port() != 0 || !h.over()
	if bound && h.Versions != ip.V4 { // the order of Linux's checks
		return syscall.EINVAL
	}
	addr, zone, err := h.bindable(local.Addr().Unmap())
	if err != nil {
		return err
	}
	if bound {
		return syscall.EINVAL
	}
	h.bindTo(zone)
	if local.Port() == 0 && h.NoPort {
		h.port, h.bound = ports.AddressOnly(addr), true
	} else if err := h.reserve(netip.AddrPortFrom(addr, local.Port())); err != nil {
		return err
	}
	if v := h.Versions.Bound(addr); v != h.Versions {
		h.set(func(s *settings) { s.Versions = v })
	}
	return nil
}

// bindable returns the address of Bind, and the interface of SocketOptions.Scope.
func (h held) bindable(addr netip.Addr) (netip.Addr, *ip.Interface, error) {
	if !addr.IsValid() {
		return h.addr(), nil, nil
	}
	if err := h.Versions.CanBind(addr); err != nil {
		return addr, nil, err
	}
	addr, zone, err := h.Scope(h.stack.ip, addr)
	if err == nil && !h.canHave(addr) {
		err = syscall.EADDRNOTAVAIL
	}
	return addr, zone, err
}

// canHave reports whether a connection of the socket may have an own address; never a group's (RFC 9293 section 3.9.1.1).
func (h held) canHave(addr netip.Addr) bool {
	return addr.IsUnspecified() || h.stack.ip.IsLocal(addr) || h.FreeBind && !addr.IsMulticast()
}

// bindTo binds the socket to an interface as SO_BINDTODEVICE does; nil changes nothing.
func (h held) bindTo(i *ip.Interface) {
	if i == nil {
		return
	}
	h.set(func(s *settings) {
		s.Device = i
		h.restrict(&s.SocketOptions)
	})
}

// addr is the bound address, or the wildcard.
func (h held) addr() netip.Addr {
	if h.bound {
		return h.port.Addr()
	}
	return h.Versions.Wildcard()
}

// reserve takes a port at an own address; 0: any.
func (h held) reserve(local netip.AddrPort) error {
	f := h.reuse
	if h.Versions == ip.V6 {
		f |= ports.V6Only
	}
	r, err := h.stack.ports.Within(h.Ports).Bind(local, f)
	if err != nil {
		return err
	}
	h.port, h.bound = r, true
	if c, ok := h.connection(); ok { // an attempt to connect that has failed, and is not in the table any more
		c.id = ip.NewFourTuple(r.Local(), c.id.Remote())
	}
	return nil
}
