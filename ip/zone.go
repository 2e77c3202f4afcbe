package ip

import (
	"net/netip"
	"strconv"
	"syscall"
)

// An IPv6 link-local address belongs to one link: the same address on two links is two addresses (RFC 4007 section 6). Inside
// the stack each has the name of its interface as its zone; Interface.Scoped adds the zone to addresses from a wire.

// IsLinkLocal6 reports whether a is an IPv6 unicast address of one link only.
func IsLinkLocal6(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// Scoped returns an address of a received header with its zone.
func (i *Interface) Scoped(a netip.Addr) netip.Addr {
	if !IsLinkLocal6(a) {
		return a
	}
	if i.loopback {
		return i.stack.table.Load().ownScoped(a)
	}
	return a.WithZone(i.name)
}

// ownScoped returns an own link-local address with its zone. A datagram to ourselves names none: of two interfaces with the address
// the first is meant.
func (t *table) ownScoped(a netip.Addr) netip.Addr {
	for _, own := range t.addresses {
		if own.prefix.Addr() == a {
			return own.addr()
		}
	}
	return a
}

// ScopedBy returns dst as a route takes it, and the interface that its zone names: a link-local unicast address keeps a zone, the
// interface's name, and others lose theirs. A zone is a name or the number of an interface (RFC 4007 section 11.2). ok is false if
// there is no such interface.
func (s *Stack) ScopedBy(dst netip.Addr) (a netip.Addr, zone *Interface, ok bool) {
	text := dst.Zone()
	if text == "" {
		return dst, nil, true
	}
	t := s.table.Load()
	zone = t.byName(text)
	if n, err := strconv.Atoi(text); zone == nil && err == nil {
		zone = s.InterfaceAt(n)
	}
	switch {
	case zone == nil:
		return dst, nil, false
	case IsLinkLocal6(dst):
		return dst.WithZone(zone.name), zone, true
	}
	return dst.WithZone(""), zone, true
}

// onlyLink is the interface that a link-local address without a zone is of: the only one that leaves the stack; nil: there are none or
// several.
func (t *table) onlyLink() *Interface {
	var only *Interface
	for _, i := range t.interfaces {
		switch {
		case i.loopback:
		case only != nil:
			return nil
		default:
			only = i
		}
	}
	return only
}

// NeedsZone reports whether an address means nothing without its interface.
func NeedsZone(a netip.Addr) bool {
	return a.Is6() && (a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast())
}

// Scope returns the address that a socket is to be bound or connected to, and the interface to which this binds the socket: that of the
// address's zone, or without a zone that of SO_BINDTODEVICE. The interface is nil for an address that needs no zone. Errors: EINVAL if
// neither the zone nor SO_BINDTODEVICE names an interface, ENODEV for a zone that the stack does not have.
func (o *SocketOptions) Scope(s *Stack, a netip.Addr) (netip.Addr, *Interface, error) {
	if !NeedsZone(a) {
		return a.WithZone(""), nil, nil
	}
	a, zone, ok := s.ScopedBy(a)
	if zone == nil {
		zone = o.Device
	}
	switch {
	case !ok:
		return a, nil, syscall.ENODEV
	case zone == nil:
		return a, nil, syscall.EINVAL
	case IsLinkLocal6(a):
		a = a.WithZone(zone.name)
	}
	return a, zone, nil
}
