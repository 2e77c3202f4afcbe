package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"tunstack/dhcp/dhcp4"
	"tunstack/socketapi"
)

// applied is what a lease has configured on the stack, so that it can be undone.
type applied struct {
	stack  *socketapi.Stack
	device string

	addr   netip.Prefix
	routes []socketapi.Route
}

// apply configures a lease, whose address is in use already, and undoes what an earlier form of it had and this one has not.
func (a *applied) apply(l *dhcp4.Lease, valid time.Duration) {
	_ = a.stack.SetLifetimes(a.device, l.Addr.Addr(), valid, valid) // the address may be lost already: then Client.taken follows
	a.setRoutes(a.routesOf(l))
	_ = a.stack.SetMTU4(a.device, l.MTU) // which is 0 or large enough
	a.addr = l.Addr
}

// undo removes what the lease has configured, the routes first.
func (a *applied) undo() {
	a.setRoutes(nil)
	_ = a.stack.SetMTU4(a.device, 0)
	if a.addr.IsValid() {
		_ = a.stack.RemoveAddress(a.device, a.addr.Addr()) // it may be gone already: lost to another host
	}
	a.addr = netip.Prefix{}
}

// setRoutes replaces the routes.
func (a *applied) setRoutes(next []socketapi.Route) {
	for _, r := range a.routes {
		if !slices.Contains(next, r) {
			_ = a.stack.DelRoute(r) // it may be gone with its network
		}
	}
	var set []socketapi.Route
	for _, r := range next {
		if slices.Contains(a.routes, r) || a.stack.AddRoute(r) == nil { // the program has the same route, or the router is not on the link
			set = append(set, r)
		}
	}
	a.routes = set
}

// routesOf are the routes of a lease. A router outside of the connected network gets a route of its own first, as clients of Linux do. Of
// several routers the first is preferred.
func (a *applied) routesOf(l *dhcp4.Lease) (list []socketapi.Route) {
	add := func(r socketapi.Route) {
		if r.Interface = a.device; !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	var gateways []socketapi.Route
	for n, r := range l.Routes {
		if !r.Router.IsValid() {
			add(socketapi.Route{Prefix: r.Prefix})
			continue
		}
		if !l.Addr.Contains(r.Router) {
			add(socketapi.Route{Prefix: netip.PrefixFrom(r.Router, 32)})
		}
		gateways = append(gateways, socketapi.Route{Prefix: r.Prefix, Gateway: r.Router, Metric: n})
	}
	for _, r := range gateways {
		add(r)
	}
	return list
}
