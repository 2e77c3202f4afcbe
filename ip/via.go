package ip

import "net/netip"

// Via restricts the way of a Route. The zero value allows every way.
type Via struct {
	Device  *Interface // the interface to leave by (SO_BINDTODEVICE, IP_UNICAST_IF); nil: any
	OnLink  bool       // through no gateway (SO_DONTROUTE)
	Public  bool       // from an address that is not temporary, if there is one (IPV6_ADDR_PREFERENCES)
	Foreign bool       // an IPv6 source may be an address that the stack does not have (IPV6_FREEBIND)
	NoAddr  bool       // limited broadcasts leave from 0.0.0.0: a DHCP client asks for an address (RFC 2131 section 4.1)
}

// allows reports whether a route satisfies v.
func (v Via) allows(r *routeEntry) bool {
	return (v.Device == nil || r.out == v.Device) && !(v.OnLink && r.gateway.IsValid())
}

// lookupVia is lookup among the routes that via allows. As in Linux, if no route leads to the device, an IPv4 destination counts as
// its neighbour.
func (t *table) lookupVia(a netip.Addr, via Via) *routeEntry {
	if via.Device == nil && !via.OnLink {
		return t.lookup(a)
	}
	if r := t.lookupAll(a, via); r != nil || via.Device == nil || a.Is6() {
		return r
	}
	return &routeEntry{out: via.Device}
}

// lookupTo is lookupVia for datagrams to dst, from src unless src is the zero Addr. If one of the addresses is an IPv4 link-local one
// the destination is a neighbour, and no router is asked (RFC 3927 sections 2.6.2 and 2.7).
func (t *table) lookupTo(dst, src netip.Addr, via Via) *routeEntry {
	if !isLinkLocal4(dst) && !isLinkLocal4(src) {
		return t.lookupVia(dst, via)
	}
	via.OnLink = true
	if via.Device == nil && isLinkLocal4(src) {
		via.Device = t.owner(src)
	}
	if r := t.lookupVia(dst, via); r != nil || t.onlyLink() == nil {
		return r
	}
	return &routeEntry{out: t.onlyLink()}
}

// isLinkLocal4 reports whether a is in 169.254/16.
func isLinkLocal4(a netip.Addr) bool { return a.Is4() && a.IsLinkLocalUnicast() }

// group is the interface that a multicast or limited broadcast leaves by.
func (t *table) group(dst, src netip.Addr, via Via) *Interface {
	if via.Device != nil {
		return via.Device
	}
	return t.groupInterface(dst, src)
}

// InterfaceNamed returns the interface with a name, or nil.
func (s *Stack) InterfaceNamed(name string) *Interface { return s.table.Load().byName(name) }

// InterfaceAt returns the interface with a number, its place in Interfaces counted from 1, or nil.
func (s *Stack) InterfaceAt(number int) *Interface {
	if all := s.table.Load().interfaces; number >= 1 && number <= len(all) {
		return all[number-1]
	}
	return nil
}

// NumberOf is the number of an interface, its place in Interfaces counted from 1; 0 for nil.
func (s *Stack) NumberOf(i *Interface) int {
	for n, other := range s.table.Load().interfaces {
		if other == i {
			return n + 1
		}
	}
	return 0
}
