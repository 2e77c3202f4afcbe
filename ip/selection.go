package ip

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// Policy is a row of the table that ranks IPv6 addresses (RFC 6724 section 2.1). The row with the longest prefix applies.
type Policy struct {
	Prefix     netip.Prefix
	Precedence uint8 // of a destination: the higher the better
	Label      uint8 // of a source: it should be equal to the destination's
}

// DefaultPolicy returns the policy table of RFC 6724 section 2.1. IPv4 addresses are looked up as IPv4-mapped ones.
func DefaultPolicy() []Policy {
	row := func(prefix string, precedence, label uint8) Policy {
		return Policy{netip.MustParsePrefix(prefix), precedence, label}
	}
	return []Policy{
		row("::1/128", 50, 0),
		row("::/0", 40, 1),
		row("::ffff:0:0/96", 35, 4),
		row("2002::/16", 30, 2),
		row("2001::/32", 5, 5),
		row("fc00::/7", 3, 13),
		row("::/96", 1, 3),
		row("fec0::/10", 1, 11),
		row("3ffe::/16", 1, 12),
	}
}

// policyOf returns the row for an address.
func policyOf(table []Policy, a netip.Addr) (best Policy) {
	a = netip.AddrFrom16(a.As16())
	longest := -1
	for _, row := range table {
		if row.Prefix.Contains(a) && row.Prefix.Bits() > longest {
			best, longest = row, row.Prefix.Bits()
		}
	}
	return best
}

// Scopes, with the values of multicast addresses (RFC 4291 section 2.7, RFC 6724 section 3.1).
const (
	scopeLink   = 0x2
	scopeSite   = 0x5
	scopeGlobal = 0xe
)

// scopeOf is the scope of an address of either family. Private IPv4 addresses are global (RFC 6724 section 3.2).
func scopeOf(a netip.Addr) uint8 {
	switch b := a.As16(); {
	case a.Is6() && b[0] == 0xff:
		return b[1] & 0xf
	case a.IsLinkLocalUnicast() || a.IsLoopback():
		return scopeLink
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0:
		return scopeSite
	}
	return scopeGlobal
}

// commonPrefix is the number of leading bits that two addresses have in common, at most limit (RFC 6724 section 2.2).
func commonPrefix(a, b netip.Addr, limit int) int {
	x, y := a.As16(), b.As16()
	n := bits.LeadingZeros64(binary.BigEndian.Uint64(x[:]) ^ binary.BigEndian.Uint64(y[:]))
	if n == 64 {
		n += bits.LeadingZeros64(binary.BigEndian.Uint64(x[8:]) ^ binary.BigEndian.Uint64(y[8:]))
	}
	return min(n, limit)
}

// selectSource selects the source address of datagrams to the IPv6 address dst that leave by out to the neighbour nextHop (RFC 6724
// section 5); the zero Addr if there is none. As in Linux, the addresses of all interfaces are candidates, except for link-local and multicast
// destinations.
func (t *table) selectSource(policy []Policy, out *Interface, nextHop, dst netip.Addr, public bool) netip.Addr {
	var best *address
	oneLink := dst.IsMulticast() || IsLinkLocal6(dst)
	for i := range t.addresses {
		a := &t.addresses[i]
		switch own := a.prefix.Addr(); {
		case !own.Is6() || a.owner != out && (oneLink || IsLinkLocal6(own) || a.owner.loopback):
		case best == nil || preferred(policy, out, nextHop, dst, public, a, best):
			best = a
		}
	}
	if best == nil {
		return netip.Addr{}
	}
	return best.addr()
}

// candidate reports whether one of the stack's addresses may be the source of datagrams to dst that leave by out (RFC 6724
// section 4).
func (t *table) candidate(src, dst netip.Addr, out *Interface) bool {
	oneLink := IsLinkLocal6(src) || IsLinkLocal6(dst) || dst.IsMulticast()
	return out.loopback || !oneLink || t.owner(src) == out
}

// preferred reports whether the source a is better than b for dst, by the rules of RFC 6724 section 5 in their order. Rule 4 is
// about home addresses, which the stack does not have. public reverses rule 7 (RFC 5014).
func preferred(policy []Policy, out *Interface, nextHop, dst netip.Addr, public bool, a, b *address) bool {
	x, y := a.prefix.Addr(), b.prefix.Addr()
	to := scopeOf(dst)
	label := policyOf(policy, dst).Label
	return cmp.Or(
		prefer(x == dst, y == dst),                                                     // rule 1
		compareScopes(scopeOf(x), scopeOf(y), to),                                      // rule 2
		prefer(!a.deprecated, !b.deprecated),                                           // rule 3
		prefer(a.owner == out, b.owner == out),                                         // rule 5
		prefer(a.advertisedBy(nextHop, out), b.advertisedBy(nextHop, out)),             // rule 5.5
		prefer(policyOf(policy, x).Label == label, policyOf(policy, y).Label == label), // rule 6
		prefer(a.temporary != public, b.temporary != public),                           // rule 7
		commonPrefix(x, dst, a.prefix.Bits())-commonPrefix(y, dst, b.prefix.Bits()),    // rule 8
	) > 0
}

// advertisedBy reports whether the address is in a prefix that a router on the link of out advertises.
func (a *address) advertisedBy(router netip.Addr, out *Interface) bool {
	return a.owner == out && slices.Contains(a.advertisers, router)
}

// prefer is positive if only a holds, negative if only b does.
func prefer(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// compareScopes is positive if a is the better scope of a source for a destination of scope to: the smallest that is not below it.
func compareScopes(a, b, to uint8) int {
	switch {
	case a < b && a < to || b < a && b >= to:
		return -1
	case a < b || b < a:
		return 1
	}
	return 0
}

// destination is a destination address with the properties that its rank depends on.
type destination struct {
	addr, source netip.Addr // source is the zero Addr if addr cannot be reached
	prefixLen    int        // of the source
	deprecated   bool       // of the source
	policy       Policy
	sourceLabel  uint8
}

// SortDestinations sorts the addresses of one host, of both families, the best first (RFC 6724 section 6). Addresses of equal
// rank keep their order.
func (s *Stack) SortDestinations(list []netip.Addr) {
	all := make([]destination, len(list))
	for i, a := range list {
		all[i] = s.destination(a)
	}
	slices.SortStableFunc(all, func(a, b destination) int { return -compareDestinations(&a, &b) })
	for i := range all {
		list[i] = all[i].addr
	}
}

func (s *Stack) destination(a netip.Addr) destination {
	d := destination{addr: a, policy: policyOf(s.cfg.Policy, a)}
	r, err := s.Route(a, netip.Addr{})
	if err != nil {
		return d
	}
	d.source = r.Src
	d.sourceLabel = policyOf(s.cfg.Policy, r.Src).Label
	for _, own := range s.table.Load().addresses {
		if own.addr() == r.Src {
			d.prefixLen, d.deprecated = own.prefix.Bits(), own.deprecated
		}
	}
	return d
}

// compareDestinations is positive if a is better than b. Rules 4 and 7 are about home addresses and encapsulation, which the
// stack does not have.
func compareDestinations(a, b *destination) int {
	scopeA, scopeB := scopeOf(a.addr), scopeOf(b.addr)
	order := cmp.Or(
		prefer(a.source.IsValid(), b.source.IsValid()),                                                               // rule 1
		prefer(a.source.IsValid() && scopeOf(a.source) == scopeA, b.source.IsValid() && scopeOf(b.source) == scopeB), // rule 2
		prefer(!a.deprecated, !b.deprecated),                                                                         // rule 3
		prefer(a.sourceLabel == a.policy.Label, b.sourceLabel == b.policy.Label),                                     // rule 5
		cmp.Compare(a.policy.Precedence, b.policy.Precedence),                                                        // rule 6
		cmp.Compare(scopeB, scopeA),                                                                                  // rule 8
	)
	if order != 0 || !a.source.IsValid() || !b.source.IsValid() || !a.addr.Is6() || !b.addr.Is6() {
		return order
	}
	return commonPrefix(a.source, a.addr, a.prefixLen) - commonPrefix(b.source, b.addr, b.prefixLen) // rule 9
}
