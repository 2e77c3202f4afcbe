package socketapi

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"tunstack/dns"
	"tunstack/internal/timer"
	"tunstack/ip"
)

// Paths of the machine's files.
const (
	machineHosts    = "/etc/hosts"
	machineServices = "/etc/services"
)

// startResolver makes the resolver. It asks over the stack's own sockets, by the stack's clock.
func (s *Stack) startResolver(cfg dns.Config) {
	config := NameServers{Source: NamesConfig, Servers: cfg.Servers, Search: cfg.Search}
	cfg.Hosts = cmp.Or(cfg.Hosts, machineHosts)
	cfg.Dial, cfg.Sort, cfg.Now, cfg.AfterFunc = s.DialContext, s.ip.SortDestinations, s.Now, s.afterFunc
	s.services = machineServices
	s.resolver = dns.New(cfg)
	s.SetNameServers(config)
}

// Resolver returns the resolver that Dial and GetAddrInfo use. Its methods are those of *net.Resolver.
func (s *Stack) Resolver() *dns.Resolver { return s.resolver }

// afterFunc calls f on the goroutine of the timers after d, unless stop is called before.
func (s *Stack) afterFunc(d time.Duration, f func()) (stop func()) {
	t := new(timer.Timer)
	t.Init(&s.timers, timer.Func(func(time.Duration) { f() }))
	t.Arm(s.Now() + d)
	return t.Stop
}

// reachable returns the versions of IP of which an interface other than the loopback has an address; both if there is none, as in glibc.
func (s *Stack) reachable() (has ip.Versions) {
	for _, i := range s.Interfaces() {
		for _, p := range i.Addresses {
			if !i.Loopback {
				has |= ip.VersionOf(p.Prefix.Addr())
			}
		}
	}
	return cmp.Or(has, ip.Dual)
}

// Lookup finds the addresses of a host as Dial does: network is "ip4", "ip6", or "ip" for the versions of IP that the stack has addresses of.
// Errors are *net.DNSError.
func (s *Stack) Lookup(ctx context.Context, network, host string) (dns.Host, error) {
	v, ok := map[string]ip.Versions{"ip": s.reachable(), "ip4": ip.V4, "ip6": ip.V6}[network]
	if !ok {
		return dns.Host{}, net.UnknownNetworkError(network)
	}
	if a, ok := s.numeric(host); ok && v.Has(a.Unmap()) {
		return dns.Host{Addrs: []netip.Addr{a.Unmap()}, Canonical: host}, nil
	}
	return s.lookup(ctx, v, host, func([]netip.Addr) {})
}

// lookup finds the addresses of a name that the versions of IP can have. It calls found with those of each version as soon as they are
// known. An address that is not one of this stack, such as one with the zone of an interface that does not exist, is not a name either.
func (s *Stack) lookup(ctx context.Context, v ip.Versions, name string, found func([]netip.Addr)) (dns.Host, error) {
	if _, err := netip.ParseAddr(name); err == nil {
		return dns.Host{}, &net.DNSError{Err: dns.ErrBadName.Error(), Name: name, IsNotFound: true, UnwrapErr: dns.ErrBadName}
	}
	network := map[ip.Versions]string{ip.V4: "ip4", ip.V6: "ip6", ip.Dual: "ip"}[v]
	return s.resolver.LookupEach(ctx, network, name, found)
}
