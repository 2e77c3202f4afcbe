package autoconf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/link/nd"
)

// FuzzAdvertisement lets routers send whatever they like, over hours. No table grows beyond its bound, the parameters of the link stay
// sensible, and the user's address and route stay.
func FuzzAdvertisement(f *testing.F) {
	full := ra(prefix1, prefix2)
	full.CurHopLimit, full.MTU, full.ReachableTime, full.RetransTimer, full.Managed = 64, 1400, time.Minute, time.Second, true
	full.Routes = []nd.RouteInformation{routeTo(prefix("2001:db8:9::/48"), 1, time.Hour), routeTo(everything, -1, nd.Forever)}
	full.RDNSS = []nd.RDNSS{{Servers: []netip.Addr{addr("2001:db8::53"), addr("fe80::53")}, Lifetime: time.Hour}}
	full.DNSSL = []nd.DNSSL{{Domains: []string{"example.org"}, Lifetime: time.Minute}}
	f.Add(full.Append(nil), uint16(10), (&nd.RouterAdvertisement{}).Append(nil), uint16(7200))
	f.Add((&nd.RouterAdvertisement{CurHopLimit: 1, MTU: 1}).Append(nil), uint16(0), full.Append(nil), uint16(1))
	f.Fuzz(func(t *testing.T, first []byte, wait1 uint16, second []byte, wait2 uint16) {
		l := startedWith(t, Config{LinkLocal: true, Routers: true, Temporary: true})
		require.NoError(t, l.eth0.AddAddress(prefix("2001:db8:1::2/64")))
		for n, body := range [][]byte{first, second, first, second} {
			if m := (nd.Message{Src: routerA, Dst: nd.AllNodes, HopLimit: 255, Body: body}); len(body) >= 8 && body[0] == nd.TypeRouterAdvertisement &&
				m.Valid(new(nd.Counters)) {
				l.hears([]netip.Addr{routerA, routerB}[n/2], *m.RouterAdvertisement())
			}
			l.advance(time.Duration([]uint16{wait1, wait2}[n%2]) * time.Second)
			l.sound()
		}
	})
}

// sound requires everything that no advertisement may change.
func (l *lab) sound() {
	l.t.Helper()
	require.LessOrEqual(l.t, len(l.routeList()), maxRouters+maxPrefixes+maxRoutes)
	require.LessOrEqual(l.t, len(l.eth0.AddressInfos(l.now)), 1+1+maxAddresses)
	require.LessOrEqual(l.t, len(l.Info().Servers), maxServers)
	require.LessOrEqual(l.t, len(l.Info().Search), maxDomains)
	require.GreaterOrEqual(l.t, l.eth0.CurHopLimit(), l.cfg.MinHopLimit)
	r, err := l.Route(addr("2001:db8:1::9"), addr("2001:db8:1::2"))
	require.NoError(l.t, err)
	require.GreaterOrEqual(l.t, r.MTU(), minMTU)
	require.LessOrEqual(l.t, r.MTU(), 1500)
	require.False(l.t, l.of(prefix("2001:db8:1::2/128"))[0].Dynamic)
	require.Len(l.t, l.of(linkLocal), 1)
	for _, b := range l.bindings {
		require.Greater(l.t, b.next(), l.now, "a timer that is due again and again")
	}
}
