package dns

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

// Handler finds the addresses of a name without the servers. network is "ip", "ip4" or "ip6"; addresses that it excludes are left out. The
// caller owns the slice. ErrNoName says that nobody has the name.
type Handler func(ctx context.Context, network, name string) ([]netip.Addr, error)

// Handle makes h find the addresses of a domain and the names below it, as multicast DNS does for local (RFC 6762 section 3), and nil makes
// the servers do that again. The hosts file comes first all the same.
func (r *Resolver) Handle(domain string, h Handler) {
	if h == nil {
		r.handlers.Delete(fold(domain))
		return
	}
	r.handlers.Store(fold(domain), h)
}

// handler is the Handler for a name, or nil.
func (r *Resolver) handler(name string) (h Handler) {
	r.handlers.Range(func(domain, value any) bool {
		if under(fold(name), domain.(string)) {
			h = value.(Handler)
		}
		return h == nil
	})
	return h
}

// lookup finds a host by a Handler.
func (h Handler) lookup(ctx context.Context, network, host string, has func(netip.Addr) bool) (Host, error) {
	addrs, err := h(ctx, network, host)
	if err != nil {
		return Host{}, err
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !has(a) })
	if len(addrs) == 0 {
		return Host{}, ErrNoData
	}
	return Host{addrs, strings.TrimSuffix(host, ".")}, nil
}
