package autoconf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/link/nd"
)

func TestDefaultRouter(t *testing.T) { // ND-029
	l := started(t)
	require.Equal(t, "none", l.via(far))
	l.hears(routerA, ra())
	require.Equal(t, "fe80::a", l.via(far))
	l.advance(30*time.Minute - 1)
	require.Equal(t, "fe80::a", l.via(far))
	l.hears(routerA, ra())
	l.advance(time.Minute)
	require.Equal(t, "fe80::a", l.via(far), "renewed")
	l.advance(30 * time.Minute)
	require.Equal(t, "none", l.via(far), "expired")

	l.hears(routerA, ra())
	l.hears(routerB, ra())
	require.Equal(t, "fe80::a", l.via(far))
	l.hears(routerA, nd.RouterAdvertisement{})
	require.Equal(t, "fe80::b", l.via(far), "lifetime 0")
	require.Equal(t, []netip.Addr{addr("fe80::b%eth0")}, l.Info().Routers)
}

// ND-035: the lifetime 0 makes the preference meaningless.
func TestPreferredRouter(t *testing.T) {
	l := started(t)
	for _, step := range []struct {
		from       netip.Addr
		lifetime   time.Duration
		preference int8
		want       string
	}{
		{routerA, time.Hour, 0, "fe80::a"}, {routerB, time.Hour, 1, "fe80::b"}, {routerB, time.Hour, -1, "fe80::a"},
		{routerA, 0, 1, "fe80::b"},
	} {
		l.hears(step.from, nd.RouterAdvertisement{RouterLifetime: step.lifetime, Preference: step.preference})
		require.Equal(t, step.want, l.via(far))
	}
}

func TestRouterThatStopsRouting(t *testing.T) { // ND-021
	l := started(t)
	a := ra()
	a.Routes = []nd.RouteInformation{{Prefix: prefix("2001:db8:9::/48"), Lifetime: time.Hour}}
	l.hears(routerA, a)
	l.hears(routerB, ra())
	l.NotRouter(l.now, routerA)
	l.advance(0)
	require.Equal(t, []string{"::/0 fe80::b 0"}, l.routeList())
	require.Equal(t, "fe80::b", l.via(far))
}

func TestRouteInformation(t *testing.T) { // ND-036
	l := started(t)
	l.hears(routerA, ra())
	routes := func(list ...nd.RouteInformation) nd.RouterAdvertisement { return nd.RouterAdvertisement{Routes: list} }
	more := prefix("2001:db8:9::/48")
	l.hears(routerB, routes(routeTo(more, 0, time.Hour), routeTo(prefix("2001:db8:9:1::/64"), -1, 10*time.Second)))
	require.Equal(t, []string{"2001:db8:9:1::/64 fe80::b -1", "2001:db8:9::/48 fe80::b 0", "::/0 fe80::a 0"}, l.routeList())
	require.Equal(t, "fe80::b", l.via(far), "the longest prefix")
	require.Equal(t, "fe80::a", l.via(addr("2001:db8:8::9")))
	l.hears(routerA, routes(routeTo(more, 1, ip.Forever)))
	require.Equal(t, "fe80::a", l.via(far), "then the preference")
	l.advance(10 * time.Second)
	require.NotContains(t, l.routeList(), "2001:db8:9:1::/64 fe80::b -1")
	l.hears(routerA, routes(routeTo(more, 1, 0)))
	require.Equal(t, "fe80::b", l.via(far))
	l.advance(time.Hour)
	require.Empty(t, l.routeList())

	l.hears(routerA, routes(routeTo(prefix("fe80::/10"), 1, time.Hour), routeTo(prefix("ff00::/8"), 1, time.Hour),
		routeTo(prefix("::/64"), 1, time.Hour)))
	require.Empty(t, l.routeList())
	require.Equal(t, uint64(3), l.count("ignored.route"))
}

// A route to everything overrides lifetime and preference of the header (RFC 4191 section 3.1).
func TestRouteToEverything(t *testing.T) {
	l := started(t)
	a := ra()
	a.Routes = []nd.RouteInformation{routeTo(everything, 1, time.Minute)}
	l.hears(routerA, a)
	require.Equal(t, []string{"::/0 fe80::a 1"}, l.routeList())
	l.advance(time.Minute)
	require.Empty(t, l.routeList())
}

func TestParameters(t *testing.T) { // ND-030, ND-031, ND-032
	l := started(t)
	mtu := func() int {
		r, err := l.Route(addr("fe80::1%eth0"), netip.Addr{})
		require.NoError(t, err)
		return r.MTU()
	}
	require.Equal(t, uint8(64), l.eth0.CurHopLimit())
	for _, step := range []struct {
		hopLimit, wantLimit uint8
		mtu                 uint32
		wantMTU             int
	}{
		{0, 64, 0, 1500}, {1, 64, 1279, 1500}, {31, 64, 1<<32 - 1, 1500}, {32, 32, 1280, 1280}, {0, 32, 0, 1280},
		{255, 255, 1400, 1400}, {64, 64, 9000, 1400}, {64, 64, 1500, 1500},
	} {
		l.hears(routerA, nd.RouterAdvertisement{CurHopLimit: step.hopLimit, MTU: step.mtu})
		require.Equal(t, step.wantLimit, l.eth0.CurHopLimit())
		require.Equal(t, step.wantMTU, mtu())
	}
	require.Equal(t, uint64(2), l.count("ignored.hop_limit"))
	require.Equal(t, uint64(3), l.count("ignored.mtu"))

	for _, step := range []struct{ reachable, retrans, wantReachable, wantRetrans time.Duration }{
		{20 * time.Second, 2 * time.Second, 20 * time.Second, 2 * time.Second}, {0, 0, 0, 0},
		{1, 1, minReachable, minRetrans}, {2 * time.Hour, time.Minute, 0, 0},
	} {
		l.hears(routerA, nd.RouterAdvertisement{ReachableTime: step.reachable, RetransTimer: step.retrans})
		require.Equal(t, [2]time.Duration{step.wantReachable, step.wantRetrans}, l.wire.times)
	}
}

// An interface that does not listen to routers drops what they say.
func TestRoutersIgnored(t *testing.T) {
	l := startedWith(t, Config{LinkLocal: true})
	l.hears(routerA, ra(prefix1))
	require.Empty(t, l.routeList())
	require.Empty(t, l.of(prefix1))
	require.Empty(t, l.solicitations())
	require.Equal(t, uint64(1), l.count("drop.disabled"))
}

// A flood of advertisements grows no table beyond its bound, and displaces nothing that the host knows.
func TestTablesAreBounded(t *testing.T) { // SEC-015
	l := started(t)
	known := ra(prefix1)
	known.Routes = []nd.RouteInformation{routeTo(prefix("2001:db8:9::/48"), 1, time.Hour)}
	known.RDNSS = []nd.RDNSS{{Servers: []netip.Addr{addr("2001:db8::53")}, Lifetime: time.Hour}}
	l.hears(routerA, known)
	own := l.source()
	for n := range 500 {
		b := [16]byte{0xfe, 0x80, 13: 1, 14: byte(n >> 8), 15: byte(n)}
		from := netip.AddrFrom16(b)
		b[0], b[1], b[2], b[4], b[5], b[13] = 0x20, 0x01, 0x0d, byte(n>>8), byte(n), 0
		p := netip.PrefixFrom(netip.AddrFrom16(b), 64).Masked()
		a := ra(p)
		a.Routes = []nd.RouteInformation{routeTo(netip.PrefixFrom(p.Addr(), 48), 0, time.Hour)}
		a.RDNSS, a.DNSSL = []nd.RDNSS{{Servers: []netip.Addr{netip.AddrFrom16(b)}, Lifetime: time.Hour}}, []nd.DNSSL{{Domains: []string{p.String()}, Lifetime: time.Hour}}
		l.hears(from, a)
	}
	require.Len(t, l.routers.list, maxRouters)
	require.Len(t, l.prefixes.list, maxPrefixes)
	require.Len(t, l.routes.list, maxRoutes)
	require.Len(t, l.servers.list, maxServers)
	require.Len(t, l.domains.list, maxDomains)
	require.Len(t, l.eth0.Addresses(), 1+maxAddresses)
	require.Len(t, l.routeList(), maxRouters+maxPrefixes+maxRoutes)
	require.NotZero(t, l.count("drop.table_full"))
	require.Equal(t, own, l.one(prefix1).Prefix.Addr())
	require.Equal(t, addr("2001:db8::53"), l.Info().Servers[0])

	for range 10 * maxPending { // faster than the timers run
		a := ra()
		l.Host.Input(l.now, routerB, &a)
	}
	require.Len(t, l.pending.advertisements, maxPending)
	l.advance(0)
	require.Equal(t, uint64(9*maxPending), l.count("drop.flood"))
}
