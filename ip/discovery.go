package ip

import (
	"net/netip"
	"time"

	"tunstack/link/nd"
)

// Discoverer is a Link that finds its IPv6 neighbors by the messages of package nd, as Ethernet does.
type Discoverer interface {
	// Discover handles a valid message other than a Redirect, and does not keep it.
	Discover(now time.Duration, m *nd.Message)
	// Redirected takes the link-layer address of the target of a Redirect that the stack follows; zero: the Redirect does not tell.
	// router: the target forwards to the destination.
	Redirected(now time.Duration, target netip.Addr, address nd.LinkLayer, router bool)
	// LinkLayerOf is the link-layer address of a neighbor; zero: it is not known.
	LinkLayerOf(a netip.Addr) nd.LinkLayer
	// Confirm takes the news that a neighbor has passed packets on.
	Confirm(now time.Duration, a netip.Addr)
	// SetNeighborTimes sets BaseReachableTime and RetransTimer (RFC 4861 section 6.3.2); 0 leaves a time as it is.
	SetNeighborTimes(reachable, retrans time.Duration)
}

// RouterListener handles the advertisements of routers on the link of an interface (RFC 4861 section 6.3), from which it configures the
// interface: autoconf.Host. Addresses have no zones. No method blocks.
type RouterListener interface {
	// Input handles a valid router advertisement, which the listener keeps.
	Input(now time.Duration, router netip.Addr, a *nd.RouterAdvertisement)
	// NotRouter handles the news that a neighbor has stopped routing (RFC 4861 section 7.3.3).
	NotRouter(now time.Duration, a netip.Addr)
	// AddressRemoved handles the news that the interface has one address less.
	AddressRemoved()
}

// SetRouterListener sets the handler of the router advertisements that the interface receives. The caller calls it before the interface
// receives.
func (i *Interface) SetRouterListener(l RouterListener) { i.routers = l }

// Discover handles a valid message of neighbor discovery other than a Redirect, and does not keep it.
func (i *Interface) Discover(now time.Duration, m *nd.Message) {
	if l, ok := i.link.(Discoverer); ok {
		l.Discover(now, m)
	}
	if m.Type() == nd.TypeRouterAdvertisement && i.routers != nil {
		i.routers.Input(now, m.Src, m.RouterAdvertisement())
	}
}

// NotRouter handles the news that a neighbor, whose address has no zone, has stopped routing (link.Handler).
func (i *Interface) NotRouter(now time.Duration, a netip.Addr) {
	if i.routers != nil {
		i.routers.NotRouter(now, a)
	}
}

// IsAnycast reports whether a, which has no zone, is an anycast address of the stack on the interface's link (link.Handler).
func (i *Interface) IsAnycast(a netip.Addr) bool {
	for _, own := range i.stack.table.Load().addresses {
		if own.owner == i && i.stack.routerAnycast(own.prefix) == a {
			return true
		}
	}
	return false
}

// LinkLayerOf is the link-layer address of a neighbor, whose address has no zone; zero: it is not known.
func (i *Interface) LinkLayerOf(a netip.Addr) nd.LinkLayer {
	if l, ok := i.link.(Discoverer); ok {
		return l.LinkLayerOf(a)
	}
	return nd.LinkLayer{}
}

// SetNeighborTimes sets BaseReachableTime and RetransTimer of the interface (RFC 4861 section 6.3.2); 0 leaves a time as it is.
func (i *Interface) SetNeighborTimes(reachable, retrans time.Duration) {
	if l, ok := i.link.(Discoverer); ok {
		l.SetNeighborTimes(reachable, retrans)
	}
}
