package ip

import (
	"net/netip"
	"sync/atomic"
)

// Metrics of the routes that routers advertise, as Linux has them: routes of the user, with metric 0, go first.
const (
	metricOnLink  = 256
	metricGateway = 1024
)

// advertised holds the parameters of an interface that its routers advertise (RFC 4861 section 6.3.2); 0: they have advertised none.
type advertised struct {
	curHopLimit atomic.Uint32
	linkMTU     [2]atomic.Int64 // by family
}

// SetCurHopLimit sets the Hop Limit of IPv6 datagrams that leave by the interface with TTL 0; 0: Config.TTL.
func (i *Interface) SetCurHopLimit(n uint8) { i.advertised.curHopLimit.Store(uint32(n)) }

// CurHopLimit is the Hop Limit of IPv6 datagrams that leave by the interface with TTL 0.
func (i *Interface) CurHopLimit() uint8 {
	if n := i.advertised.curHopLimit.Load(); n != 0 {
		return uint8(n)
	}
	return i.stack.cfg.TTL
}

// SetLinkMTU sets the largest IPv6 datagram in bytes that is sent by the interface; 0, or more than the link's MTU: the link's MTU.
func (i *Interface) SetLinkMTU(n int) { i.setLinkMTU(1, n) }

// SetLinkMTU4 is SetLinkMTU for IPv4 (RFC 2132 section 5.1).
func (i *Interface) SetLinkMTU4(n int) { i.setLinkMTU(0, n) }

func (i *Interface) setLinkMTU(family, n int) {
	if i.advertised.linkMTU[family].Swap(int64(n)) != int64(n) {
		i.stack.generation.Add(1)
	}
}

// MTUTo is the largest datagram in bytes to dst that the interface sends.
func (i *Interface) MTUTo(dst netip.Addr) int {
	if n := int(i.advertised.linkMTU[index(dst)].Load()); n != 0 {
		return min(n, i.mtu)
	}
	return i.mtu
}

// SetAdvertisedRoute adds a route that a router advertises, or sets its preference (RFC 4191 section 2.1: 1, 0 or -1). gateway is on the
// link of the interface; the zero Addr: the prefix is on the link. Routes of the user to the same prefix stay, and go first.
func (i *Interface) SetAdvertisedRoute(p netip.Prefix, gateway netip.Addr, preference int8) {
	r := i.advertisedRoute(gateway, preference)
	list, _ := i.stack.table.Load().routes.Get(p)
	for _, old := range list {
		if old.same(&r) && old.preference == preference {
			return // an advertisement that only repeats itself costs the connections no lookup
		}
	}
	_ = i.stack.changeTable(func(t *table) error {
		r.failed = t.hasFailed(r.gateway)
		t.changeRoutesTo(p, func(old *routeEntry) bool { return !old.same(&r) })
		t.addRoute(p, r)
		return nil
	})
}

// DropAdvertisedRoute removes a route of SetAdvertisedRoute.
func (i *Interface) DropAdvertisedRoute(p netip.Prefix, gateway netip.Addr) {
	r := i.advertisedRoute(gateway, 0)
	_ = i.stack.changeTable(func(t *table) error {
		t.changeRoutesTo(p, func(old *routeEntry) bool { return !old.same(&r) })
		return nil
	})
}

func (i *Interface) advertisedRoute(gateway netip.Addr, preference int8) routeEntry {
	r := routeEntry{out: i, metric: metricOnLink, preference: preference, advertised: true}
	if gateway.IsValid() {
		r.gateway, r.metric = i.Scoped(gateway), metricGateway
	}
	return r
}

// same reports whether two entries are one route, maybe with another preference.
func (r *routeEntry) same(other *routeEntry) bool {
	return r.gateway == other.gateway && r.out == other.out && r.advertised == other.advertised
}
