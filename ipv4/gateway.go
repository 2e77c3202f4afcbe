package ipv4

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"tunstack/internal/timer"
)

const (
	gatewayRetry  = time.Minute      // how long a gateway that did not answer is passed over for its alternates
	gatewaySettle = time.Second      // no neighbour is found dead sooner, so earlier failures are still the last gateway's
	redirectAge   = 10 * time.Minute // how long a Redirect is followed
	maxRedirects  = 256
)

// gateways watches the first hops (RFC 1122 section 3.3.1.4): one that the link finds silent is passed over until it is
// tried again, and Redirects age. The outcome is in the routes' failed and redirected marks.
type gateways struct {
	stack     *Stack
	mu        sync.Mutex
	failed    map[netip.Addr]time.Duration // until when
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

// failTo notes that the first hop on the way to dst does not answer. All datagrams that waited for it come back at once, when
// the route leads elsewhere already: they must not condemn the successor.
func (g *gateways) failTo(now time.Duration, dst netip.Addr) {
	g.mu.Lock()
	settled := now-g.lastFail >= gatewaySettle
	g.mu.Unlock()
	if r := g.stack.table.Load().lookup(dst.As4()); settled && r != nil {
		g.fail(now, r.gateway)
	}
}

// fail notes that a next hop does not answer. It matters if that is the gateway of a route.
func (g *gateways) fail(now time.Duration, gateway netip.Addr) {
	uses := func(r routeEntry) bool { return r.gateway == gateway && !r.failed }
	if !gateway.IsValid() || !slices.ContainsFunc(g.stack.table.Load().routes, uses) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastFail = now
	g.failed[gateway] = now + gatewayRetry
	g.timer.ArmEarlier(now + gatewayRetry)
	g.stack.stats.GatewayFailed.Inc()
	_ = g.stack.changeTable(func(t *table) error {
		t.routes = slices.DeleteFunc(t.routes, func(r routeEntry) bool { return r.redirected && r.gateway == gateway })
		t.markFailed(gateway, true)
		return nil
	})
}

func (t *table) markFailed(gateway netip.Addr, failed bool) {
	for i := range t.routes {
		if t.routes[i].gateway == gateway {
			t.routes[i].failed = failed
		}
	}
}

// Doubt takes a transport's advice that datagrams along r go unanswered (RFC 1122 section 3.3.1.4). If they leave by a gateway
// that has an alternate, that is tried; the advice is no more than a hint, and a gateway without alternate stays in use.
func (s *Stack) Doubt(now time.Duration, r *Route) {
	via := r.path().nextHop
	alternate := func(e routeEntry) bool {
		return e.gateway.IsValid() && e.gateway != via && !e.failed && e.prefix.Contains(r.Dst)
	}
	if via != r.Dst && slices.ContainsFunc(s.table.Load().routes, alternate) {
		s.gateways.fail(now, via)
	}
}

// Redirect moves a destination to another gateway, as an ICMP Redirect that came in by i says. It is ignored unless the sender
// is the current first hop to the destination and the new gateway is another host on the same network (RFC 1122 section
// 3.2.2.2), and by routers (RFC 1812 section 5.2.7.2).
func (s *Stack) Redirect(now time.Duration, i *Interface, e *Error) {
	if !s.gateways.redirect(now, i, e) {
		s.stats.RedirectIgnore.Inc()
		return
	}
	s.stats.Redirected.Inc()
}

func (g *gateways) redirect(now time.Duration, i *Interface, e *Error) bool {
	s, dst := g.stack, e.Quoted.Dst
	t := s.table.Load()
	r := t.lookup(dst.As4())
	if s.cfg.Forwarding || r == nil || !r.gateway.IsValid() || r.gateway != e.From || r.out != i || e.Gateway == e.From ||
		!e.Gateway.Is4() || !isHost(e.Gateway.As4()) || t.isLocal(e.Gateway.As4()) || t.connected(e.Gateway) != i {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.redirects) >= maxRedirects {
		return false
	}
	g.redirects[dst] = now + redirectAge
	g.timer.ArmEarlier(now + redirectAge)
	_ = s.changeTable(func(t *table) error {
		t.dropRedirect(dst)
		t.addRoute(routeEntry{prefix: netip.PrefixFrom(dst, 32), gateway: e.Gateway, out: i, metric: -1, redirected: true})
		return nil
	})
	return true
}

func (t *table) dropRedirect(dst netip.Addr) {
	t.routes = slices.DeleteFunc(t.routes, func(r routeEntry) bool { return r.redirected && r.prefix.Addr() == dst })
}

// Expire lets failed gateways be tried again and ends Redirects.
func (g *gateways) Expire(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.stack.changeTable(func(t *table) error {
		for a, until := range g.failed {
			if until <= now {
				delete(g.failed, a)
				t.markFailed(a, false)
			} else {
				g.timer.ArmEarlier(until)
			}
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
