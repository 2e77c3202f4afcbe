package ip

import (
	"cmp"
	"net/netip"
	"slices"
	"syscall"

	"tunstack/internal/addrkey"
)

// routeEntry is one route to a prefix.
type routeEntry struct {
	gateway    netip.Addr // zero: the network is connected
	out        *Interface
	src        netip.Addr // preferred source; zero: none
	metric     int
	preference int8 // among routes with one metric the highest goes first (RFC 4191 section 2.1)
	advertised bool // by a router: see Interface.SetAdvertisedRoute
	connected  bool // the network of one of the stack's addresses: src
	redirected bool // learned from an ICMP Redirect
	failed     bool // the gateway did not answer
}

// addRoute inserts a route after the routes to the same prefix that go first, or are equal, by metric and preference.
func (t *table) addRoute(p netip.Prefix, r routeEntry) {
	old, _ := t.routes.Get(p)
	list := append(slices.Clone(old), r)
	slices.SortStableFunc(list, func(a, b routeEntry) int {
		return cmp.Or(cmp.Compare(a.metric, b.metric), cmp.Compare(b.preference, a.preference))
	})
	t.routes = t.routes.InsertPersist(p, list)
	t.countGateway(r.gateway, 1)
}

// countGateway counts the routes over a gateway.
func (t *table) countGateway(gateway netip.Addr, n int) {
	if !gateway.IsValid() {
		return
	}
	p := netip.PrefixFrom(gateway, gateway.BitLen())
	old, _ := t.gateways.Get(p)
	if old+n == 0 {
		t.gateways = t.gateways.DeletePersist(p)
	} else {
		t.gateways = t.gateways.InsertPersist(p, old+n)
	}
}

// hasRoute reports whether there is a route that no router has advertised.
func (t *table) hasRoute(p netip.Prefix, gateway netip.Addr, out *Interface) bool {
	list, _ := t.routes.Get(p)
	return slices.ContainsFunc(list, func(r routeEntry) bool { return r.gateway == gateway && r.out == out && !r.advertised })
}

// hasFailed reports whether a gateway is marked as failed.
func (t *table) hasFailed(gateway netip.Addr) bool {
	for _, list := range t.routes.All() {
		if slices.ContainsFunc(list, func(r routeEntry) bool { return r.failed && r.gateway == gateway }) {
			return true
		}
	}
	return false
}

// changeRoutes calls change for a copy of each route, and keeps the routes for which it returns true.
func (t *table) changeRoutes(change func(p netip.Prefix, r *routeEntry) (keep bool)) {
	for p := range t.routes.All() {
		t.changeRoutesTo(p, func(r *routeEntry) bool { return change(p, r) })
	}
}

// changeRoutesTo is changeRoutes for the routes to one prefix. It returns how many it removed.
func (t *table) changeRoutesTo(p netip.Prefix, change func(r *routeEntry) (keep bool)) (removed int) {
	old, _ := t.routes.Get(p)
	var list []routeEntry
	for _, r := range old {
		if change(&r) {
			list = append(list, r)
		} else {
			t.countGateway(r.gateway, -1)
		}
	}
	switch {
	case slices.Equal(list, old):
	case len(list) == 0:
		t.routes = t.routes.DeletePersist(p)
	default:
		t.routes = t.routes.InsertPersist(p, list)
	}
	return len(old) - len(list)
}

// lookup finds the route to a by longest prefix. Among routes with one prefix it takes the first whose gateway answers (RFC
// 1122 section 3.3.1.4). If none of them answers it tries the shorter prefixes, as Linux does for IPv6 (RFC 4191 section 3.2), and
// takes the first route that has failed if all have. nil: there is no route.
func (t *table) lookup(a netip.Addr) *routeEntry {
	list, ok := t.routes.Lookup(a)
	if !ok {
		return nil
	}
	for i := range list {
		if !list[i].failed {
			return &list[i]
		}
	}
	return t.lookupAll(a, Via{})
}

// lookupAll is lookup among the routes that via allows.
func (t *table) lookupAll(a netip.Addr, via Via) (failed *routeEntry) {
	for _, list := range t.routes.Supernets(netip.PrefixFrom(a, a.BitLen())) {
		for i := range list {
			switch r := &list[i]; {
			case !via.allows(r):
			case !r.failed:
				return r
			case failed == nil:
				failed = r
			}
		}
	}
	return failed
}

// RouteEntry is one row of the route table.
type RouteEntry struct {
	Prefix    netip.Prefix `json:"prefix"`
	Gateway   netip.Addr   `json:"gateway"`   // zero: the network is on the link
	Interface string       `json:"interface"` // AddRoute with a Gateway accepts an empty name
	Source    netip.Addr   `json:"source"`    // preferred source address; zero: the stack chooses
	Metric    int          `json:"metric"`    // among routes with one prefix the one with the lowest metric whose gateway answers is used
	Redirect  bool         `json:"redirect"`  // listed only: learned from an ICMP Redirect

	Advertised bool `json:"advertised"` // listed only: learned from a router advertisement
	Preference int8 `json:"preference"` // listed only: among advertised routes with one prefix the highest goes first (RFC 4191)
	Failed     bool `json:"failed"`     // listed only: the gateway does not answer
}

// Routes lists the route table, longest prefixes first, and of one prefix in the order of preference.
func (s *Stack) Routes() []RouteEntry {
	var list []RouteEntry
	for p, routes := range s.table.Load().routes.AllSorted() {
		for _, r := range routes {
			list = append(list, RouteEntry{
				Prefix: p, Gateway: r.gateway, Interface: r.out.name, Source: r.src,
				Metric: r.metric, Redirect: r.redirected, Failed: r.failed, Advertised: r.advertised, Preference: r.preference,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b RouteEntry) int { return cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()) })
	return list
}

// AddRoute adds a route. Errors: EINVAL for a bad prefix or address, and for a link-local gateway without a zone if there are several
// links; ENODEV for an unknown interface, ENETUNREACH for a gateway that is not on a connected network, EEXIST for a duplicate.
func (s *Stack) AddRoute(e RouteEntry) error {
	return s.changeTable(func(t *table) error {
		if !e.Prefix.IsValid() || s.FamilyOf(e.Prefix.Addr()) == nil {
			return syscall.EINVAL
		}
		var err error
		if e.Gateway, err = t.gateway(&e); err != nil {
			return err
		}
		out, err := t.outOf(e)
		if err != nil {
			return err
		}
		if t.hasRoute(e.Prefix.Masked(), e.Gateway, out) {
			return syscall.EEXIST
		}
		t.addRoute(e.Prefix.Masked(), routeEntry{gateway: e.Gateway, out: out, src: e.Source, metric: e.Metric})
		return nil
	})
}

// gateway returns the gateway of e. It adds a zone to a link-local gateway: that of the interface, else of the only link. The
// error is EINVAL if there are several links.
func (t *table) gateway(e *RouteEntry) (netip.Addr, error) {
	if !IsLinkLocal6(e.Gateway) || e.Gateway.Zone() != "" {
		return e.Gateway, nil
	}
	i := t.byName(e.Interface)
	if e.Interface == "" {
		i = t.onlyLink()
	}
	if i == nil {
		return e.Gateway, syscall.EINVAL
	}
	return e.Gateway.WithZone(i.name), nil
}

// outOf returns the interface that a new route uses.
func (t *table) outOf(e RouteEntry) (*Interface, error) {
	sameFamily := func(a netip.Addr) bool { return a.Is4() == e.Prefix.Addr().Is4() }
	if e.Gateway.IsValid() && !sameFamily(e.Gateway) {
		return nil, syscall.EINVAL
	}
	if e.Source.IsValid() && !(sameFamily(e.Source) && t.local[addrkey.Of(e.Source)] != nil) {
		return nil, syscall.EINVAL
	}
	out := t.byName(e.Interface)
	if !e.Gateway.IsValid() {
		if out == nil {
			return nil, syscall.ENODEV
		}
		return out, nil
	}
	via := t.reaches(e.Gateway, out)
	switch {
	case e.Interface != "" && out == nil:
		return nil, syscall.ENODEV
	case via == nil || out != nil && via != out:
		return nil, syscall.ENETUNREACH
	}
	return via, nil
}

// reaches is the interface by which a gateway is a neighbour: that of its connected network, else, as on Linux, that of a route without a
// gateway, by out unless out is nil (RFC 3442, Local Subnet Routes). nil: it is not a neighbour.
func (t *table) reaches(gateway netip.Addr, out *Interface) *Interface {
	if via := t.connected(gateway); via != nil {
		return via
	}
	if r := t.lookupAll(gateway, Via{Device: out, OnLink: true}); r != nil && t.local[addrkey.Of(gateway)] == nil {
		return r.out
	}
	return nil
}

// DelRoute removes the routes with e's prefix; a Gateway or an Interface in e must match too. The error is ESRCH when no route
// matches.
func (s *Stack) DelRoute(e RouteEntry) error {
	return s.changeTable(func(t *table) error {
		gateway, err := t.gateway(&e)
		if !e.Prefix.IsValid() || err != nil {
			return syscall.ESRCH
		}
		e.Gateway = gateway
		matches := func(r *routeEntry) bool {
			return (!e.Gateway.IsValid() || r.gateway == e.Gateway) && (e.Interface == "" || r.out.name == e.Interface)
		}
		if t.changeRoutesTo(e.Prefix.Masked(), func(r *routeEntry) bool { return !matches(r) }) == 0 {
			return syscall.ESRCH
		}
		return nil
	})
}
