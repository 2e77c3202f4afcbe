package ip

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"tunstack/internal/timer"
)

const (
	gatewayRetry = time.Minute      // how long an unanswering gateway is passed over for its alternates
	redirectAge  = 10 * time.Minute // how long a Redirect is followed
	maxRedirects = 256
)

// gateways watches the first hops (RFC 1122 section 3.3.1.4). A gateway that does not answer the link is passed over until it
// is tried again, and Redirects age. The routes' failed and redirected marks hold the outcome.
type gateways struct {
	stack     *Stack
	mu        sync.Mutex
	failed    map[netip.Addr]time.Duration // until when the gateway is passed over
	redirects map[netip.Addr]time.Duration // by destination, until when
	timer     timer.Timer
}

func (g *gateways) init(s *Stack) {
	g.stack = s
	g.failed, g.redirects = make(map[netip.Addr]time.Duration), make(map[netip.Addr]time.Duration)
	g.timer.Init(s.cfg.Timers, g)
}

// Silent handles the news that a neighbour, whose address has no zone, does not answer (link.Handler).
func (i *Interface) Silent(now time.Duration, a netip.Addr) { i.stack.gateways.fail(now, i.Scoped(a)) }

// fail records that a next hop does not answer: the gateway of a route is passed over, and Redirects to it end.
func (g *gateways) fail(now time.Duration, hop netip.Addr) {
	t := g.stack.table.Load()
	if t.redirectedOnto(hop) {
		_ = g.stack.changeTable(func(t *table) error { t.dropRedirect(hop); return nil })
	}
	if !t.usesGateway(hop) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed[hop] = now + gatewayRetry
	g.timer.ArmEarlier(now + gatewayRetry)
	g.stack.stats.GatewayFailed.Inc()
	_ = g.stack.changeTable(func(t *table) error {
		t.changeRoutes(func(_ netip.Prefix, r *routeEntry) bool {
			r.failed = r.failed || r.gateway == hop
			return !(r.redirected && r.gateway == hop)
		})
		t.rotate(hop)
		return nil
	})
}

// rotate makes the other gateways of a prefix usable again once all of them have failed, gateway as the last: where no router answers
// they are tried in turn (RFC 4861 section 6.3.6).
func (t *table) rotate(gateway netip.Addr) {
	for p, list := range t.routes.All() {
		alive := func(r routeEntry) bool { return !r.failed }
		if len(list) < 2 || slices.ContainsFunc(list, alive) {
			continue
		}
		t.changeRoutesTo(p, func(r *routeEntry) bool {
			r.failed = r.gateway == gateway
			return true
		})
	}
}

// usesGateway reports whether a route that has not failed leads over gateway.
func (t *table) usesGateway(gateway netip.Addr) bool {
	if _, used := t.gateways.Get(netip.PrefixFrom(gateway, gateway.BitLen())); !used { // most neighbours are no gateways, and the table may be large
		return false
	}
	for _, list := range t.routes.All() {
		if slices.ContainsFunc(list, func(r routeEntry) bool { return r.gateway == gateway && !r.failed }) {
			return true
		}
	}
	return false
}

// redirectedOnto reports whether a Redirect says that the destination a is on the link.
func (t *table) redirectedOnto(a netip.Addr) bool {
	list, _ := t.routes.Get(netip.PrefixFrom(a, a.BitLen()))
	return slices.ContainsFunc(list, func(r routeEntry) bool { return r.redirected && !r.gateway.IsValid() })
}

// SuspectGateway takes a transport's advice that datagrams along r go unanswered (RFC 1122 section 3.3.1.4). If they leave by a
// gateway that has an alternate, the stack tries the alternate. The advice is only a hint: a gateway without alternate stays in use.
func (s *Stack) SuspectGateway(now time.Duration, r *Route) {
	via := r.Path().NextHop
	alternate := func(e routeEntry) bool { return e.gateway.IsValid() && e.gateway != via && !e.failed }
	if via == r.Dst {
		return
	}
	for _, list := range s.table.Load().routes.Supernets(netip.PrefixFrom(r.Dst, r.Dst.BitLen())) {
		if slices.ContainsFunc(list, alternate) {
			s.gateways.fail(now, via)
			return
		}
	}
}

// Redirect moves e.Quoted.Dst to another gateway, or if that is e.Gateway itself onto the link, as an ICMP Redirect asks. It is ignored unless the
// sender is the current first hop to the destination and the new gateway is another host on the same network (RFC 1122 section 3.2.2.2, RFC 4861
// section 8.1), and always by routers (RFC 1812 section 5.2.7.2). In IPv4 a transport calls it if it knows that it sent the quoted datagram.
func (s *Stack) Redirect(now time.Duration, e *Error) {
	if !s.gateways.redirect(now, e.In, e) {
		s.stats.RedirectIgnore.Inc()
		return
	}
	s.stats.Redirected.Inc()
	if l, ok := e.In.link.(Discoverer); ok && e.Gateway.Is6() {
		l.Redirected(now, e.Gateway.WithZone(""), e.GatewayAddress, e.Gateway != e.Quoted.Dst)
	}
}

func (g *gateways) redirect(now time.Duration, i *Interface, e *Error) bool {
	s, dst := g.stack, e.Quoted.Dst
	t := s.table.Load()
	r := t.lookup(dst)
	if s.cfg.Forwarding || r == nil || !r.gateway.IsValid() || r.gateway != e.From || r.out != i || e.Gateway == e.From ||
		!s.isUnicast(e.Gateway) || s.IsLocal(e.Gateway) || !i.redirectsTo(t, e.Gateway, dst) {
		return false
	}
	entry := routeEntry{gateway: e.Gateway, out: i, metric: -1, redirected: true}
	if dst == e.Gateway {
		entry.gateway = netip.Addr{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.redirects[dst]; !known && len(g.redirects) >= maxRedirects {
		return false
	}
	g.redirects[dst] = now + redirectAge
	g.timer.ArmEarlier(now + redirectAge)
	_ = s.changeTable(func(t *table) error {
		t.dropRedirect(dst)
		t.addRoute(netip.PrefixFrom(dst, dst.BitLen()), entry)
		return nil
	})
	return true
}

// redirectsTo reports whether a Redirect that arrived on i may name the gateway: a neighbour, or in IPv6 a router's link-local address, or the
// destination, of which nothing else says that it is on the link.
func (i *Interface) redirectsTo(t *table, gateway, dst netip.Addr) bool {
	return gateway.Is6() && (IsLinkLocal6(gateway) || gateway == dst) || t.connected(gateway) == i
}

func (t *table) dropRedirect(dst netip.Addr) {
	t.changeRoutesTo(netip.PrefixFrom(dst, dst.BitLen()), func(r *routeEntry) bool { return !r.redirected })
}

// Expire makes failed gateways usable again and ends Redirects.
func (g *gateways) Expire(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.stack.changeTable(func(t *table) error {
		for a, until := range g.failed {
			if until > now {
				g.timer.ArmEarlier(until)
				continue
			}
			delete(g.failed, a)
			t.changeRoutes(func(_ netip.Prefix, r *routeEntry) bool {
				r.failed = r.failed && r.gateway != a
				return true
			})
		}
		for dst, until := range g.redirects {
			if until <= now {
				delete(g.redirects, dst)
				t.dropRedirect(dst)
			} else {
				g.timer.ArmEarlier(until)
			}
		}
		return nil
	})
}
