package autoconf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/link/nd"
)

func TestOnLinkPrefix(t *testing.T) { // ND-001, ND-002, ND-033
	l := started(t)
	neighbor := addr("2001:db8:1::9")
	onLink := func(valid time.Duration, flag bool) {
		a := ra()
		a.Prefixes = []nd.PrefixInformation{{Prefix: prefix1, OnLink: flag, Autonomous: true, Valid: valid, Preferred: valid}}
		l.hears(routerA, a)
	}
	onLink(3*time.Hour, false)
	require.NotEmpty(t, l.of(prefix1))
	require.Equal(t, "fe80::a", l.via(neighbor), "an address makes no neighbours")
	onLink(3*time.Hour, true)
	require.Equal(t, "link", l.via(neighbor))
	onLink(3*time.Hour, false)
	require.Equal(t, "link", l.via(neighbor), "L clear cancels nothing")
	onLink(0, true)
	require.Equal(t, "fe80::a", l.via(neighbor))
	onLink(time.Minute, true)
	l.advance(time.Minute)
	require.Equal(t, "fe80::a", l.via(neighbor))

	a := ra(prefix("fe80::/64"), prefix("ff02::/64"), prefix("::/64"))
	l.hears(routerA, a)
	require.Equal(t, []string{"::/0 fe80::a 0"}, l.routeList())
	require.Len(t, l.of(linkLocal), 1)
}

func TestPrefixesThatFormNoAddress(t *testing.T) { // SLAAC-009, SLAAC-010
	l := started(t)
	for _, p := range []nd.PrefixInformation{
		{Prefix: prefix1, Autonomous: false, Valid: time.Hour, Preferred: time.Minute},
		{Prefix: prefix1, Autonomous: true, Valid: time.Minute, Preferred: time.Hour},
		{Prefix: prefix1, Autonomous: true},
		{Prefix: prefix("2001:db8:1::/63"), Autonomous: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: prefix("2001:db8:1::/65"), Autonomous: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: prefix("2001:db8:1::/128"), Autonomous: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: prefix("::/0"), Autonomous: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: prefix("fe80::/64"), Autonomous: true, Valid: time.Hour, Preferred: time.Hour},
	} {
		l.hears(routerA, nd.RouterAdvertisement{Prefixes: []nd.PrefixInformation{p}})
		require.Len(t, l.eth0.Addresses(), 1, "%v", p)
	}
	l.hears(routerA, prefixRA(prefix1, time.Minute, time.Hour))
	l.lives(prefix1, time.Minute, time.Hour)
	require.Equal(t, 64, l.one(prefix1).Prefix.Bits())
	require.Contains(t, l.wire.claimed, l.one(prefix1).Prefix.Addr(), "SLAAC-002")
}

func TestTwoHourRule(t *testing.T) { // SLAAC-011
	const hour = time.Hour
	for _, c := range []struct{ remaining, preferred, valid, want time.Duration }{
		{3 * hour, 0, 10 * time.Second, 2 * hour},
		{3 * hour, 0, 0, 2 * hour},
		{3 * hour, hour, 150 * time.Minute, 150 * time.Minute}, // above two hours
		{hour, 0, 10 * time.Second, hour},
		{hour, 10 * time.Second, 10 * time.Second, hour},
		{2 * hour, 0, 10 * time.Second, 2 * hour},
		{hour, hour, 90 * time.Minute, 90 * time.Minute}, // above the remainder
		{hour, ip.Forever, ip.Forever, ip.Forever},
		{ip.Forever, hour, 10 * hour, 10 * hour},
		{ip.Forever, 0, 0, 2 * hour},
	} {
		l := started(t)
		l.hears(routerA, prefixRA(prefix1, c.remaining, c.remaining))
		l.hears(routerB, prefixRA(prefix1, c.preferred, c.valid))
		l.lives(prefix1, c.preferred, c.want)
	}
}

// SLAAC-012, SLAAC-014: an address grows old and ends as advertised.
func TestAgeOfAddress(t *testing.T) {
	l := started(t)
	l.hears(routerA, prefixRA(prefix1, time.Minute, 3*time.Minute))
	own := l.one(prefix1).Prefix.Addr()
	l.advance(time.Minute)
	require.True(t, l.one(prefix1).Deprecated)
	l.advance(time.Minute)
	l.hears(routerA, prefixRA(prefix1, time.Minute, 3*time.Minute))
	require.False(t, l.one(prefix1).Deprecated)
	l.advance(3 * time.Minute)
	require.Empty(t, l.of(prefix1))
	require.False(t, l.IsLocal(own))
	l.hears(routerA, prefixRA(prefix1, time.Minute, 3*time.Minute))
	require.Equal(t, own, l.one(prefix1).Prefix.Addr(), "the same again")
}

// No advertisement takes an address from the user, and what the user removes comes back with the next one, as in Linux.
func TestAddressesOfTheUser(t *testing.T) {
	l := started(t)
	require.NoError(t, l.eth0.AddAddress(prefix("2001:db8:1::2/64")))
	l.hears(routerA, ra(prefix1))
	l.hears(routerA, nd.RouterAdvertisement{Prefixes: []nd.PrefixInformation{{Prefix: prefix1, OnLink: true, Autonomous: true}}})
	require.Len(t, l.of(prefix1), 2)
	require.Equal(t, ip.AddressInfo{Prefix: prefix("2001:db8:1::2/64"), Preferred: ip.Forever, Valid: ip.Forever}, l.of(prefix1)[0])
	require.Equal(t, "link", l.via(addr("2001:db8:1::9")))
	l.advance(24 * time.Hour)
	require.Equal(t, prefix("2001:db8:1::2/64"), l.one(prefix1).Prefix)

	l.hears(routerA, ra(prefix2))
	own := l.one(prefix2).Prefix.Addr()
	require.Contains(t, l.Info().Addresses, netip.PrefixFrom(own, 64))
	require.NoError(t, l.eth0.RemoveAddress(own))
	l.advance(time.Second)
	require.Empty(t, l.of(prefix2))
	require.NotContains(t, l.Info().Addresses, netip.PrefixFrom(own, 64))
	require.Equal(t, l.Info(), l.changes[len(l.changes)-1])
	l.hears(routerA, ra(prefix2))
	require.Equal(t, own, l.one(prefix2).Prefix.Addr())
	require.Contains(t, l.Info().Addresses, netip.PrefixFrom(own, 64))
}

// The user removes an address while the outcome of its claim is on its way.
func TestAddressRemovedDuringItsClaim(t *testing.T) {
	l := started(t)
	l.wire.slow = true
	l.hears(routerA, ra(prefix1))
	own := l.one(prefix1).Prefix.Addr()
	require.NoError(t, l.eth0.RemoveAddress(own))
	l.wire.decide(l.now, nil)
	l.advance(0)
	require.Empty(t, l.of(prefix1))
	require.Empty(t, l.refused)
	l.wire.slow = false
	l.hears(routerA, ra(prefix1))
	require.Equal(t, own, l.one(prefix1).Prefix.Addr())
}

// SLAAC-016: an address that the stack has already is not formed again.
func TestFormedAddressIsTaken(t *testing.T) {
	l := started(t)
	id := stable(l.cfg.Secret, prefix1, "eth0", "", 0)
	require.NoError(t, l.eth0.AddAddress(netip.PrefixFrom(id.in(prefix1), 64)))
	l.hears(routerA, ra(prefix1))
	l.advance(idgenDelay)
	require.Len(t, l.of(prefix1), 2)
}

// Renumbering: the old prefix is advertised as deprecated, the new one is used for new connections, then the old one ends.
func TestRenumbering(t *testing.T) { // SLAAC-012
	l := started(t)
	l.hears(routerA, ra(prefix1))
	old := l.source()
	require.True(t, prefix1.Contains(old))
	connection, err := l.Route(far, old)
	require.NoError(t, err)

	a := ra(prefix2)
	a.Prefixes = append(a.Prefixes, nd.PrefixInformation{Prefix: prefix1, OnLink: true, Autonomous: true, Valid: 20 * time.Minute})
	l.hears(routerA, a)
	require.True(t, prefix2.Contains(l.source()))
	require.True(t, l.one(prefix1).Deprecated)
	require.NoError(t, connection.Path().Err)
	l.advance(20 * time.Minute)
	require.NoError(t, connection.Path().Err, "SLAAC-011: the two-hour rule")
	l.advance(40 * time.Minute)
	require.Error(t, connection.Path().Err)
	require.Empty(t, l.of(prefix1))
}

func TestSourceForTheRouterThatAdvertisesIt(t *testing.T) { // IP6-053
	l := started(t)
	l.hears(routerA, ra(prefix1))
	l.hears(routerB, ra(prefix2))
	prefer := func(from netip.Addr) {
		l.hears(from, nd.RouterAdvertisement{RouterLifetime: time.Hour, Preference: 1})
	}
	prefer(routerB)
	require.True(t, prefix2.Contains(l.source()))
	l.hears(routerB, ra())
	prefer(routerA)
	require.True(t, prefix1.Contains(l.source()))
	l.hears(routerA, nd.RouterAdvertisement{})
	require.True(t, prefix2.Contains(l.source()))
}
