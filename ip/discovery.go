package ip

import (
	"net/netip"
	"time"

	"tunstack/link/nd"
)

// Discoverer is a Link that finds its IPv6 neighbors by the messages of package nd, as Ethernet does.
type Discoverer interface {
	// Discover handles a valid message, which it does not keep.
	Discover(now time.Duration, m *nd.Message)
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

// Discover handles a valid message of neighbor discovery, which it does not keep. It leaves Redirects to the caller.
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

// SetNeighborTimes sets BaseReachableTime and RetransTimer of the interface (RFC 4861 section 6.3.2); 0 leaves a time as it is.
func (i *Interface) SetNeighborTimes(reachable, retrans time.Duration) {
	if l, ok := i.link.(Discoverer); ok {
		l.SetNeighborTimes(reachable, retrans)
	}
}
