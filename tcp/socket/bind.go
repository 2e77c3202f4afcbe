package socket

import (
	"net/netip"
	"syscall"

	"tunstack/internal/ports"
	"tunstack/ip"
)

// Bind gives the socket its own address. Port 0 picks a free one; a zero or unspecified Addr is the wildcard. Errors:
// EADDRINUSE, EADDRNOTAVAIL for an address that the stack does not have, EINVAL when already bound or closed.
func (so *Socket) Bind(local netip.AddrPort) error {
	h := so.begin()
	defer h.commitLater()
	addr := local.Addr().Unmap()
	if !addr.IsValid() {
		addr = h.addr()
	}
	network := h.stack.ip
	if network.FamilyOf(addr) == nil || !addr.IsUnspecified() && !network.IsLocal(addr) {
		return syscall.EADDRNOTAVAIL
	}
	if h.bound || h.closed || h.port.Port() != 0 || !h.over() {
		return syscall.EINVAL
	}
	if local.Port() == 0 && h.NoPort {
		h.port, h.bound = ports.AddressOnly(addr), true
		return nil
	}
	return h.reserve(netip.AddrPortFrom(addr, local.Port()))
}

// addr is the bound address, or the wildcard.
func (h held) addr() netip.Addr {
	if h.bound {
		return h.port.Addr()
	}
	return netip.IPv4Unspecified()
}

// reserve takes a port at an own address; 0: any.
func (h held) reserve(local netip.AddrPort) error {
	r, err := h.stack.ports.Within(h.Ports).Bind(local, h.reuse)
	if err != nil {
		return err
	}
	h.port, h.bound = r, true
	if c, ok := h.connection(); ok { // an attempt to connect that has failed, and is not in the table any more
		c.id = ip.NewFourTuple(r.Local(), c.id.Remote())
	}
	return nil
}
