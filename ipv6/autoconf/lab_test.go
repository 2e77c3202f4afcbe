package autoconf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

var (
	routerA = addr("fe80::a")
	routerB = addr("fe80::b")
	prefix1 = prefix("2001:db8:1::/64")
	prefix2 = prefix("2001:db8:2::/64")
	far     = addr("2001:db8:9::9")
)

// wire is a link with claims, on which other hosts may have addresses.
type wire struct {
	*wiretest.Wire
	taken   func(a netip.Addr) bool // whether another host has a; nil: none has any
	slow    bool                    // claims stay undecided
	claimed []netip.Addr
	decide  func(time.Duration, error) // of the last claim
	times   [2]time.Duration           // of neighbour discovery
}

func (w *wire) Claim(now time.Duration, a netip.Addr, done func(time.Duration, error)) {
	w.claimed, w.decide = append(w.claimed, a), done
	switch {
	case w.slow:
	case w.taken != nil && w.taken(a):
		done(now, syscall.EADDRINUSE)
	default:
		done(now, nil)
	}
}

func (w *wire) Release(netip.Addr) {}

func (w *wire) Discover(time.Duration, *nd.Message) {}

func (w *wire) Redirected(time.Duration, netip.Addr, nd.LinkLayer, bool) {}

func (w *wire) Confirm(time.Duration, netip.Addr) {}

func (w *wire) LinkLayerOf(netip.Addr) nd.LinkLayer { return nd.LinkLayer{} }

func (w *wire) SetNeighborTimes(reachable, retrans time.Duration) {
	w.times = [2]time.Duration{reachable, retrans}
}

// lab is a host in virtual time.
type lab struct {
	*ip.Stack
	*Host
	t       *testing.T
	timers  timer.Queue
	now     time.Duration
	wire    *wire
	eth0    *ip.Interface
	changes []Info
	refused []netip.Addr
}

// newLab returns a host that has started, and has a link-local address if the Config asks for one.
func newLab(t *testing.T, cfg Config) *lab {
	l := &lab{t: t, wire: &wire{Wire: wiretest.New(1500, packet.Features{})}}
	l.Stack = ip.New(ip.Config{Timers: &l.timers})
	ipv6.New(l.Stack, ipv6.Config{})
	var err error
	l.eth0, err = l.AddInterface("eth0", l.wire)
	require.NoError(t, err)
	cfg.Interface, cfg.Timers, cfg.Rand = l.eth0, &l.timers, rand.NewChaCha8([32]byte{1})
	cfg.Changed = func(i Info) { l.changes = append(l.changes, i) }
	cfg.Refused = func(a netip.Addr, err error) { l.refused = append(l.refused, a) }
	l.Host, err = New(cfg)
	require.NoError(t, err)
	l.eth0.SetRouterListener(l.Host)
	return l
}

// started is a host that listens to routers, at a time when it has solicited them.
func started(t *testing.T) *lab { return startedWith(t, Config{LinkLocal: true, Routers: true}) }

func startedWith(t *testing.T, cfg Config) *lab {
	l := newLab(t, cfg)
	l.Start(l.now)
	l.advance(2 * time.Second)
	l.wire.Take()
	return l
}

// advance moves the time on by d, from deadline to deadline.
func (l *lab) advance(d time.Duration) {
	l.timers.Follow(l.now, l.now+d, func(now time.Duration) { l.now = now })
}

// hears receives an advertisement.
func (l *lab) hears(from netip.Addr, a nd.RouterAdvertisement) {
	l.Host.Input(l.now, from, &a)
	l.advance(0)
}

// ra is an advertisement of a default router for half an hour, with prefixes that are valid for an hour and preferred for half of it.
func ra(prefixes ...netip.Prefix) nd.RouterAdvertisement {
	a := nd.RouterAdvertisement{RouterLifetime: 30 * time.Minute}
	for _, p := range prefixes {
		a.Prefixes = append(a.Prefixes, nd.PrefixInformation{Prefix: p, OnLink: true, Autonomous: true, Valid: time.Hour, Preferred: 30 * time.Minute})
	}
	return a
}

// prefixRA is an advertisement of one prefix for addresses, from no default router.
func prefixRA(p netip.Prefix, preferred, valid time.Duration) nd.RouterAdvertisement {
	return nd.RouterAdvertisement{Prefixes: []nd.PrefixInformation{{Prefix: p, Autonomous: true, Preferred: preferred, Valid: valid}}}
}

// routeTo is a route that a router advertises.
func routeTo(p netip.Prefix, preference int8, lifetime time.Duration) nd.RouteInformation {
	return nd.RouteInformation{Prefix: p, Preference: preference, Lifetime: lifetime}
}

// of lists the addresses of eth0 in a prefix.
func (l *lab) of(p netip.Prefix) (list []ip.AddressInfo) {
	for _, a := range l.eth0.AddressInfos(l.now) {
		if p.Contains(a.Prefix.Addr()) {
			list = append(list, a)
		}
	}
	return list
}

// one is the only address of eth0 in a prefix.
func (l *lab) one(p netip.Prefix) ip.AddressInfo {
	l.t.Helper()
	list := l.of(p)
	require.Len(l.t, list, 1)
	return list[0]
}

// lives requires the lifetimes of the only address in a prefix.
func (l *lab) lives(p netip.Prefix, preferred, valid time.Duration) {
	l.t.Helper()
	a := l.one(p)
	require.Equal(l.t, []time.Duration{preferred, valid}, []time.Duration{a.Preferred, a.Valid})
}

// via is the first hop to dst, "link" if it is dst itself, "none" without a way.
func (l *lab) via(dst netip.Addr) string {
	r, err := l.Route(dst, netip.Addr{})
	switch {
	case err != nil:
		return "none"
	case r.Path().NextHop == dst.WithZone(""):
		return "link"
	}
	return r.Path().NextHop.String()
}

// source is the source of new connections to far.
func (l *lab) source() netip.Addr {
	l.t.Helper()
	r, err := l.Route(far, netip.Addr{})
	require.NoError(l.t, err)
	return r.Src
}

// solicitations takes the router solicitations sent.
func (l *lab) solicitations() (all []wiretest.Datagram) {
	for _, d := range l.wire.Take() {
		if d.Data[6] == ip.ProtocolICMPv6 && d.Data[ipv6.HeaderLen] == 133 {
			all = append(all, d)
		}
	}
	return all
}

func (l *lab) count(name string) uint64 { return stats.Count("autoconf."+name, l.Host.Stats()) }

// routeList is the advertised routes, such as "::/0 fe80::a 1".
func (l *lab) routeList() (list []string) {
	for _, r := range l.Routes() {
		if r.Advertised {
			gateway := "link"
			if r.Gateway.IsValid() {
				gateway = r.Gateway.WithZone("").String()
			}
			list = append(list, fmt.Sprint(r.Prefix, " ", gateway, " ", r.Preference))
		}
	}
	slices.Sort(list)
	return list
}
