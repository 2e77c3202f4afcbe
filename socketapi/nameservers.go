package socketapi

import (
	"net/netip"
	"slices"
	"sync"

	"tunstack/dns"
)

// NameSource says where name servers are known from.
type NameSource string

// The sources, in the order of their rank.
const (
	NamesConfig  NameSource = "config"  // Config.DNS, or the program
	NamesDHCP    NameSource = "dhcp"    // a lease of DHCPv4
	NamesDHCPv6  NameSource = "dhcpv6"  // an answer of DHCPv6
	NamesRouter  NameSource = "router"  // router advertisements (RFC 8106); the stack sets these itself
	NamesMachine NameSource = "machine" // the resolv.conf of the machine that the stack runs on
	NamesOwn     NameSource = "own"     // a name server on the stack itself
)

// sourceRanks groups the sources: the first group that has servers is used, all its sources in order. What a network says by DHCP comes
// before what its routers say (RFC 8106 section 5.3.1).
var sourceRanks = [][]NameSource{{NamesConfig}, {NamesDHCP, NamesDHCPv6, NamesRouter}, {NamesMachine}, {NamesOwn}}

// maxLearnt is the largest number of servers that the resolver takes from a DHCP server or the routers of one interface, as in glibc.
const maxLearnt = 3

// NameServers is what one source says about names.
type NameServers struct {
	Source    NameSource       `json:"source"`
	Interface string           `json:"interface,omitempty"` // that it concerns, for sources with several
	Servers   []netip.AddrPort `json:"servers"`             // port 0: the usual one
	Search    []string         `json:"search"`              // domains that are tried behind a short name
}

// nameServers is what the sources say.
type nameServers struct {
	mu   sync.Mutex
	rows []NameServers
}

// SetNameServers replaces what a source says, for the interface that it names; without Servers and Search it says nothing any more. The
// resolver asks the servers of the first of these sources that has any: the configuration; DHCP and routers together; the machine; the
// stack itself. The same holds for the search list; domains that no host can have are left out. It may be called at any time; the stack
// keeps the slice of servers.
func (s *Stack) SetNameServers(n NameServers) {
	n.Search = slices.DeleteFunc(slices.Clone(n.Search), func(domain string) bool { return !dns.ValidHost(domain) })
	l := &s.nameServers
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = slices.DeleteFunc(l.rows, func(r NameServers) bool { return r.Source == n.Source && r.Interface == n.Interface })
	if len(n.Servers) > 0 || len(n.Search) > 0 {
		l.rows = append(l.rows, n)
	}
	settings := s.resolver.Settings()
	settings.Servers = choose(l.rows, func(r NameServers) []netip.AddrPort {
		if r.Source == NamesConfig {
			return r.Servers
		}
		return r.Servers[:min(len(r.Servers), maxLearnt)]
	})
	settings.Search = choose(l.rows, func(r NameServers) []string { return r.Search })
	s.resolver.Configure(settings)
}

// NameServers lists what the sources say, in the order of their rank. The caller owns the slices.
func (s *Stack) NameServers() []NameServers {
	s.nameServers.mu.Lock()
	defer s.nameServers.mu.Unlock()
	var rows []NameServers
	for _, source := range slices.Concat(sourceRanks...) {
		for _, r := range s.nameServers.rows {
			if r.Source == source {
				r.Servers, r.Search = append([]netip.AddrPort{}, r.Servers...), append([]string{}, r.Search...)
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// choose collects the values of the first group of sources that has any, each value once.
func choose[T comparable](rows []NameServers, of func(NameServers) []T) (list []T) {
	for _, group := range sourceRanks {
		for _, source := range group {
			for _, r := range rows {
				if r.Source == source {
					list = append(list, of(r)...)
				}
			}
		}
		if len(list) > 0 {
			break
		}
	}
	seen := map[T]bool{}
	return slices.DeleteFunc(list, func(v T) bool {
		had := seen[v]
		seen[v] = true
		return had
	})
}

// learnServers takes the servers and domains that routers advertise on an interface.
func (s *Stack) learnServers(info AutoconfInfo) {
	n := NameServers{Source: NamesRouter, Interface: info.Interface, Search: info.Search}
	for _, a := range info.Servers {
		n.Servers = append(n.Servers, netip.AddrPortFrom(a, 0))
	}
	s.SetNameServers(n)
}
