// Package membership is the host side of the protocols that tell multicast routers the groups of an interface: IGMP versions 1
// to 3 for IPv4 (RFC 1112, RFC 2236, RFC 9776) and MLD versions 1 and 2 for IPv6 (RFC 2710, RFC 3810). Both families run the
// same protocol: MLD translates IGMP. The Host is a state machine without I/O, clock and locks; the families encode its
// messages.
package membership

import (
	"net/netip"
	"slices"
)

// Filter selects the sources from which datagrams to a group are received (RFC 9776 section 3). The zero Filter receives
// nothing. Sources is sorted and has no duplicates; it is never changed in place.
type Filter struct {
	Exclude bool // receive from all but Sources; else only from Sources
	Sources []netip.Addr
}

// All is the Filter that receives from every source.
var All = Filter{Exclude: true}

// NewFilter returns a Filter with a sorted copy of the sources.
func NewFilter(exclude bool, sources []netip.Addr) Filter {
	sorted := slices.Clone(sources)
	slices.SortFunc(sorted, netip.Addr.Compare)
	return Filter{exclude, slices.Compact(sorted)}
}

// Receives reports whether f receives from any source.
func (f Filter) Receives() bool { return f.Exclude || len(f.Sources) > 0 }

// Allows reports whether f receives from a source.
func (f Filter) Allows(source netip.Addr) bool { return contains(f.Sources, source) != f.Exclude }

func (f Filter) equal(g Filter) bool {
	return f.Exclude == g.Exclude && slices.Equal(f.Sources, g.Sources)
}

// Merge returns the Filter of an interface whose sockets have the filters list (RFC 9776 section 3.2, RFC 3810 section 4.2). A
// filter that excludes makes the result exclude: the sources that all such filters exclude and no other filter includes.
// Otherwise the result includes the sources of all.
func Merge(list []Filter) Filter {
	var included, excluded []netip.Addr
	exclude := false
	for _, f := range list {
		switch {
		case !f.Exclude:
			included = union(included, f.Sources)
		case !exclude:
			exclude, excluded = true, f.Sources
		default:
			excluded = intersection(excluded, f.Sources)
		}
	}
	if exclude {
		return Filter{true, difference(excluded, included)}
	}
	return Filter{false, included}
}

// The functions below take and return sorted lists without duplicates. A result may share memory with an argument.

func contains(set []netip.Addr, a netip.Addr) bool {
	_, found := slices.BinarySearchFunc(set, a, netip.Addr.Compare)
	return found
}

func union(a, b []netip.Addr) []netip.Addr {
	if len(a) == 0 {
		return b
	}
	return NewFilter(false, slices.Concat(a, b)).Sources
}

func intersection(a, b []netip.Addr) []netip.Addr {
	return keep(a, func(x netip.Addr) bool { return contains(b, x) })
}

func difference(a, b []netip.Addr) []netip.Addr {
	if len(b) == 0 {
		return a
	}
	return keep(a, func(x netip.Addr) bool { return !contains(b, x) })
}

func keep(set []netip.Addr, wanted func(netip.Addr) bool) (kept []netip.Addr) {
	for _, x := range set {
		if wanted(x) {
			kept = append(kept, x)
		}
	}
	return kept
}
