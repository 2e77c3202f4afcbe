package ip

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"tunstack/internal/timer"
)

const (
	gatewayRetry  = time.Minute      // how long an unanswering gateway is passed over for its alternates
	gatewaySettle = time.Second      // ARP needs at least 1 s to declare a neighbour dead: failures sooner after a change belong to the previous gateway
	redirectAge   = 10 * time.Minute // how long a Redirect is followed
	maxRedirects  = 256
)

// gateways watches the first hops (RFC 1122 section 3.3.1.4). A gateway that does not answer the link is passed over until it
// is tried again, and Redirects age. The routes' failed and redirected marks hold the outcome.
type gateways struct {
	stack     *Stack
	mu        sync.Mutex
	failed    map[netip.Addr]time.Duration // until when the gateway is passed over
	redirects map[netip.Addr]time.Duration // by destination, until when
	lastFail  time.Duration
	timer     timer.Timer
}

func (g *gateways) init(s *Stack) {
	g.stack = s
	g.failed, g.redirects = make(map[netip.Addr]time.Duration), make(map[netip.Addr]time.Duration)
	g.lastFail = -gatewaySettle
	g.timer.Init(s.cfg.Timers, g)
}

// failTo records that the first hop to dst does not answer. The link returns all datagrams that waited for it at once, after
// the first has changed the route: the others must not mark the next gateway as failed.
func (g *gateways) failTo(now time.Duration, dst netip.Addr) {
	g.mu.Lock()
	settled := now-g.lastFail >= gatewaySettle
	g.mu.Unlock()
	if r := g.stack.table.Load().lookup(dst); settled && r != nil {
		g.fail(now, r.gateway)
	}
}

// fail records that a next hop does not answer, if it is the gateway of a route.
func (g *gateways) fail(now time.Duration, gateway netip.Addr) {
	if !gateway.IsValid() || !g.stack.table.Load().usesGateway(gateway) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastFail = now
	g.failed[gateway] = now + gatewayRetry
	g.timer.ArmEarlier(now + gatewayRetry)
	g.stack.stats.GatewayFailed.Inc()
	_ = g.stack.changeTable(func(t *table) error {
		t.changeRoutes(func(_ netip.Prefix, r *routeEntry) bool {
			r.failed = r.failed || r.gateway == gateway
			return !(r.redirected && r.gateway == gateway)
		})
		t.rotate(gateway)
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
	for _, list := range t.routes.All() {
		if slices.ContainsFunc(list, func(r routeEntry) bool { return r.gateway == gateway && !r.failed }) {
			return true
		}
	}
	return false
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
