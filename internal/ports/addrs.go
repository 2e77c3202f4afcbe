package ports

import "net/netip"

// addrs is the set of local addresses at which a port is held: one address, or all addresses of a wildcard. With IPv4 addresses
// mapped to IPv6 each such set is a prefix: ::/0 for ::, whose sockets receive both families, ::ffff:0:0/96 for 0.0.0.0, and
// 128 bits for any other address.
type addrs struct {
	prefix [16]byte
	n      uint8 // length of the prefix in bytes
}

func addrsOf(a netip.Addr) addrs {
	s := addrs{prefix: a.As16(), n: 16}
	if a.IsUnspecified() {
		s.n -= uint8(a.BitLen() / 8)
	}
	return s
}

func (s addrs) addr() netip.Addr { return netip.AddrFrom16(s.prefix).Unmap() }

// overlaps reports whether an address is in both sets.
func (s addrs) overlaps(o addrs) bool {
	n := min(s.n, o.n)
	return string(s.prefix[:n]) == string(o.prefix[:n])
}
