package ip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var defaultRoute6 = netip.MustParsePrefix("::/0")

// advertisedLab is a stack with addresses on eth0, where routers advertise.
func advertisedLab(t *testing.T) (*Stack, *Interface) {
	s := dual(t, "eth0 fe80::2/64 2001:db8::2/64")
	return s, s.InterfaceNamed("eth0")
}

// nextHop is the first hop to a destination.
func nextHop(t *testing.T, s *Stack, dst string) netip.Addr {
	t.Helper()
	r, err := s.Route(addr(dst), netip.Addr{})
	require.NoError(t, err)
	return r.Path().NextHop
}

func TestPreferenceOfRouters(t *testing.T) { // ND-035
	s, eth0 := advertisedLab(t)
	for _, step := range []struct {
		gateway    string
		preference int8
		want       string
	}{
		{"fe80::a", 0, "fe80::a"},
		{"fe80::b", 0, "fe80::a"}, // equal: the first stays
		{"fe80::c", 1, "fe80::c"},
		{"fe80::d", -1, "fe80::c"},
		{"fe80::c", -1, "fe80::a"}, // changed
		{"fe80::b", 1, "fe80::b"},
	} {
		eth0.SetAdvertisedRoute(defaultRoute6, addr(step.gateway), step.preference)
		require.Equal(t, addr(step.want), nextHop(t, s, "2001:db8:9::9"))
	}
	require.Len(t, s.Routes(), 3+4, "the connected networks too")
	eth0.DropAdvertisedRoute(defaultRoute6, addr("fe80::b"))
	require.Equal(t, addr("fe80::a"), nextHop(t, s, "2001:db8:9::9"))
}

// ND-034: dead routers are passed over, also by a shorter prefix, and when all are dead they are tried in turn.
func TestRoutersThatDoNotAnswer(t *testing.T) {
	s, eth0 := advertisedLab(t)
	for n, gateway := range []string{"fe80::a", "fe80::b", "fe80::c"} {
		eth0.SetAdvertisedRoute(defaultRoute6, addr(gateway), int8(1-n))
	}
	more := netip.MustParsePrefix("2001:db8:9::/48")
	eth0.SetAdvertisedRoute(more, addr("fe80::d"), 1)
	require.Equal(t, addr("fe80::d"), nextHop(t, s, "2001:db8:9::9"))
	now := time.Second
	fail := func(gateway string) {
		now += time.Second
		s.gateways.fail(now, eth0.Scoped(addr(gateway)))
	}
	fail("fe80::d")
	require.Equal(t, addr("fe80::a"), nextHop(t, s, "2001:db8:9::9"))
	for _, step := range []struct{ dead, next string }{{"fe80::a", "fe80::b"}, {"fe80::b", "fe80::c"}, {"fe80::c", "fe80::a"}, {"fe80::a", "fe80::b"}} {
		fail(step.dead)
		require.Equal(t, addr(step.next), nextHop(t, s, "2001:db8:9::9"))
	}
	eth0.SetAdvertisedRoute(netip.MustParsePrefix("2001:db8:8::/48"), addr("fe80::a"), 1)
	require.Equal(t, addr("fe80::b"), nextHop(t, s, "2001:db8:8::9"), "an advertisement does not make a dead router alive (ND-023)")
	r, err := s.RouteVia(addr("2001:db8:9::9"), netip.Addr{}, Via{Device: eth0})
	require.NoError(t, err)
	require.Equal(t, addr("fe80::b"), r.Path().NextHop)

	s.gateways.Expire(now + gatewayRetry)
	require.Equal(t, addr("fe80::d"), nextHop(t, s, "2001:db8:9::9"))
}

// A lone gateway stays the first hop of a device's route when it does not answer.
func TestDeadGatewayOfADevice(t *testing.T) {
	s, eth0 := advertisedLab(t)
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::a"), 0)
	s.gateways.fail(time.Second, eth0.Scoped(addr("fe80::a")))
	r, err := s.RouteVia(addr("2001:db8:9::9"), netip.Addr{}, Via{Device: eth0})
	require.NoError(t, err)
	require.Equal(t, addr("fe80::a"), r.Path().NextHop)
}

// What routers advertise and withdraw leaves the user's routes and networks alone.
func TestAdvertisedRouteBesideTheUsers(t *testing.T) {
	s, eth0 := advertisedLab(t)
	own := netip.MustParsePrefix("2001:db8::/64")
	eth0.SetAdvertisedRoute(own, netip.Addr{}, 0)
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: defaultRoute6, Gateway: addr("fe80::a"), Interface: "eth0"}))
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::a"), 1)
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::b"), 1)
	before := s.generation.Load()
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::b"), 1)
	require.Equal(t, before, s.generation.Load())
	require.Equal(t, addr("fe80::a"), nextHop(t, s, "2001:db8:9::9"))

	eth0.DropAdvertisedRoute(own, netip.Addr{})
	eth0.DropAdvertisedRoute(defaultRoute6, addr("fe80::a"))
	require.True(t, eth0.OnLink(addr("2001:db8::9")))
	require.Equal(t, addr("2001:db8::9"), nextHop(t, s, "2001:db8::9"))
	require.Equal(t, addr("fe80::a"), nextHop(t, s, "2001:db8:9::9"))
	require.NoError(t, s.DelRoute(RouteEntry{Prefix: defaultRoute6, Gateway: addr("fe80::a"), Interface: "eth0"}))
	require.Equal(t, addr("fe80::b"), nextHop(t, s, "2001:db8:9::9"))

	require.NoError(t, eth0.RemoveAddress(addr("2001:db8::2")))
	eth0.SetAdvertisedRoute(own, netip.Addr{}, 0)
	require.NoError(t, eth0.AddAddress(netip.MustParsePrefix("2001:db8::3/64")))
	eth0.DropAdvertisedRoute(own, netip.Addr{})
	require.Equal(t, addr("2001:db8::9"), nextHop(t, s, "2001:db8::9"))
}

func TestAdvertisedParameters(t *testing.T) { // ND-031, ND-032
	s, eth0 := advertisedLab(t)
	require.NoError(t, eth0.AddAddress(netip.MustParsePrefix("10.0.0.2/24")))
	mtu := func(dst string) int {
		r, err := s.Route(addr(dst), netip.Addr{})
		require.NoError(t, err)
		return r.MTU()
	}
	r, err := s.Route(addr("2001:db8::9"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, 1500, r.MTU())
	eth0.SetLinkMTU(1400)
	require.Equal(t, 1400, r.MTU())
	require.Equal(t, 1500, mtu("10.0.0.9"), "IPv4 does not take it")
	eth0.SetLinkMTU(9000)
	require.Equal(t, 1500, r.MTU())
	eth0.SetLinkMTU(0)
	require.Equal(t, 1500, r.MTU())

	require.Equal(t, uint8(64), eth0.CurHopLimit())
	eth0.SetCurHopLimit(7)
	require.Equal(t, uint8(7), eth0.CurHopLimit())
}

func TestSourceForTheRouter(t *testing.T) { // IP6-053
	s := dual(t, "eth0 fe80::2/64 2001:db8:1::2/64 2001:db8:2::2/64")
	eth0 := s.InterfaceNamed("eth0")
	src := func() netip.Addr {
		r, err := s.Route(addr("2001:db8:9::9"), netip.Addr{})
		require.NoError(t, err)
		return r.Src
	}
	require.NoError(t, eth0.SetAdvertisers(addr("2001:db8:1::2"), []netip.Addr{addr("fe80::a"), addr("fe80::c")}))
	require.NoError(t, eth0.SetAdvertisers(addr("2001:db8:2::2"), []netip.Addr{addr("fe80::b"), addr("fe80::c")}))
	require.Error(t, eth0.SetAdvertisers(addr("2001:db8:3::2"), nil))
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::a"), -1)
	require.Equal(t, addr("2001:db8:1::2"), src())
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::b"), 0)
	require.Equal(t, addr("2001:db8:2::2"), src())
	eth0.SetAdvertisedRoute(defaultRoute6, addr("fe80::c"), 1)
	require.Equal(t, addr("2001:db8:1::2"), src(), "both")
}

func TestTemporarySource(t *testing.T) { // IP6-054
	l := newLifelab(t)
	for n, a := range []string{"2001:db8::2/64", "2001:db8::3/64", "2001:db8::4/64"} {
		own := Address{Prefix: netip.MustParsePrefix(a), Preferred: Forever, Valid: Forever, Temporary: n == 1}
		l.eth0.Assign(l.now, own, func(time.Duration, error) {})
		l.decide(own.Prefix.Addr().String(), nil)
	}
	r, err := l.Route(addr("2001:db8::9"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("2001:db8::3"), r.Src)
	require.True(t, l.eth0.AddressInfos(0)[1].Temporary)
}
