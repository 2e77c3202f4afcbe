package ports

import (
	"net/netip"

	"tunstack/internal/addrkey"
)

// addrs is the set of local addresses at which a port is held: one address, or all addresses of a wildcard. With IPv4 addresses
// mapped to IPv6 each such set is a prefix: ::/0 for ::, whose sockets receive both families unless their flag V6Only is set,
// ::ffff:0:0/96 for 0.0.0.0, and 128 bits for any other address.
type addrs struct {
	prefix addrkey.Key
	n      uint8 // length of the prefix in bytes
}

func addrsOf(a netip.Addr) addrs {
	s := addrs{prefix: addrkey.Of(a), n: 16}
	if a.IsUnspecified() {
		s.n -= uint8(a.BitLen() / 8)
	}
	return s
}

func (s addrs) addr() netip.Addr { return s.prefix.Addr() }

// isIPv4 reports whether all addresses of the set are IPv4's.
func (s addrs) isIPv4() bool { return s.n >= 12 && s.prefix.IsIPv4() }

// overlaps reports whether an address is in both sets.
func (s addrs) overlaps(o addrs) bool {
	n := min(s.n, o.n)
	return string(s.prefix[:n]) == string(o.prefix[:n])
}
