package autoconf

import (
	"net/netip"
	"slices"
	"time"

	"tunstack/link/nd"
)

// minMTU is the smallest MTU of a link (RFC 8200 section 5).
const minMTU = 1280

// router is an entry of the Default Router List (RFC 4861 section 5.1).
type router struct{ preference int8 }

// route is a prefix that is reached by a router (RFC 4191 section 2.3).
type route struct {
	prefix netip.Prefix
	router netip.Addr
}

var (
	everything = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	linkLocal  = netip.MustParsePrefix("fe80::/64")
)

// setRouter adds the sender to the Default Router List for the lifetime that it advertises, or removes it (RFC 4861 section 6.3.4).
func (h *Host) setRouter(now time.Duration, a advertisement) {
	if a.RouterLifetime > 0 {
		h.solicit.answer()
	}
	for _, r := range a.Routes { // a route to everything overrides the header (RFC 4191 section 3.1)
		if r.Prefix == everything {
			return
		}
	}
	h.setDefaultRouter(now, a.from, a.RouterLifetime, a.Preference)
}

func (h *Host) setDefaultRouter(now time.Duration, from netip.Addr, lifetime time.Duration, preference int8) {
	switch {
	case lifetime == 0:
		if h.routers.remove(from) {
			h.dropRouter(from)
		}
	case h.routers.set(from, router{preference}, after(now, lifetime)):
		h.iface.SetAdvertisedRoute(everything, from, preference)
	default:
		h.stats.DropTableFull.Inc()
	}
}

// dropRouter removes the default route by a router that has left the list, so that its destinations choose another router.
func (h *Host) dropRouter(a netip.Addr) {
	h.iface.DropAdvertisedRoute(everything, a)
	for _, b := range h.bindings {
		h.setAdvertisers(b, slices.DeleteFunc(slices.Clone(b.advertisers), func(r netip.Addr) bool { return r == a }))
	}
}

// setRoute adds, renews or removes a route by the sender.
func (h *Host) setRoute(now time.Duration, from netip.Addr, r nd.RouteInformation) {
	key := route{r.Prefix.Masked(), from}
	switch {
	case r.Prefix == everything:
		h.setDefaultRouter(now, from, r.Lifetime, r.Preference)
	case notAdvertisable(r.Prefix):
		h.stats.IgnoredRoute.Inc()
	case r.Lifetime == 0:
		if h.routes.remove(key) {
			h.iface.DropAdvertisedRoute(key.prefix, from)
		}
	case h.routes.set(key, r.Preference, after(now, r.Lifetime)):
		h.iface.SetAdvertisedRoute(key.prefix, from, r.Preference)
	default:
		h.stats.DropTableFull.Inc()
	}
}

// notAdvertisable reports whether routers must not advertise a prefix: it has link-local addresses, groups or the loopback's address.
func notAdvertisable(p netip.Prefix) bool {
	a := p.Addr()
	return a.IsLinkLocalUnicast() || a.IsMulticast() || p.Contains(netip.IPv6Loopback()) && p.Bits() > 0
}

// setOnLink adds, renews or removes a prefix whose addresses are on the link (RFC 4861 section 6.3.4).
func (h *Host) setOnLink(now time.Duration, p nd.PrefixInformation) {
	key := p.Prefix.Masked()
	switch {
	case p.Valid == 0:
		if h.prefixes.remove(key) {
			h.iface.DropAdvertisedRoute(key, netip.Addr{})
		}
	case h.prefixes.set(key, struct{}{}, after(now, p.Valid)):
		h.iface.SetAdvertisedRoute(key, netip.Addr{}, 0)
	default:
		h.stats.DropTableFull.Inc()
	}
}

// forget removes a router and all routes by it.
func (h *Host) forget(a netip.Addr) {
	if h.routers.remove(a) {
		h.dropRouter(a)
	}
	for _, r := range slices.Clone(h.routes.list) {
		if r.key.router == a {
			h.routes.remove(r.key)
			h.iface.DropAdvertisedRoute(r.key.prefix, a)
		}
	}
}
