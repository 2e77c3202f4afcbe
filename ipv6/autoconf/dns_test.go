package autoconf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/link/nd"
)

func TestServers(t *testing.T) { // SLAAC-021, SLAAC-022
	l := started(t)
	servers := func(lifetime time.Duration, list ...string) {
		var s nd.RDNSS
		for _, a := range list {
			s.Servers = append(s.Servers, addr(a))
		}
		s.Lifetime = lifetime
		l.hears(routerA, nd.RouterAdvertisement{RDNSS: []nd.RDNSS{s}})
	}
	have := func(list ...string) {
		t.Helper()
		var want []netip.Addr
		for _, a := range list {
			want = append(want, addr(a))
		}
		require.Equal(t, want, l.Info().Servers)
	}
	servers(10*time.Minute, "2001:db8::53", "fe80::53")
	have("2001:db8::53", "fe80::53%eth0")
	require.Equal(t, l.Info(), l.changes[len(l.changes)-1])
	changes := len(l.changes)
	servers(10*time.Minute, "2001:db8::53", "fe80::53")
	require.Len(t, l.changes, changes, "nothing new")
	servers(ip.Forever, "2001:db8::54")
	servers(0, "2001:db8::53")
	have("fe80::53%eth0", "2001:db8::54")
	l.advance(10 * time.Minute)
	have("2001:db8::54")
	require.Greater(t, len(l.changes), changes)
	servers(time.Hour, "2001:db8::55", "ff02::1")
	servers(time.Hour, "::1")
	servers(time.Hour, "::")
	have("2001:db8::54")
	require.Equal(t, uint64(3), l.count("ignored.dns_server"))
}

func TestSearchList(t *testing.T) { // SLAAC-023
	l := started(t)
	l.hears(routerA, nd.RouterAdvertisement{DNSSL: []nd.DNSSL{{Domains: []string{"example.org", "example.com"}, Lifetime: time.Minute}}})
	l.hears(routerA, nd.RouterAdvertisement{DNSSL: []nd.DNSSL{{Domains: []string{"example.org"}, Lifetime: time.Hour}}})
	require.Equal(t, []string{"example.org", "example.com"}, l.Info().Search)
	l.advance(time.Minute)
	require.Equal(t, []string{"example.org"}, l.Info().Search)
	l.hears(routerA, nd.RouterAdvertisement{DNSSL: []nd.DNSSL{{Domains: []string{"example.org"}, Lifetime: 0}}})
	require.Empty(t, l.Info().Search)
}

func TestFlagsOfDHCP(t *testing.T) {
	l := started(t)
	for _, f := range []flags{{true, false}, {true, true}, {false, true}, {false, false}} {
		l.hears(routerA, nd.RouterAdvertisement{Managed: f.managed, Other: f.other})
		require.Equal(t, f, flags{l.Info().Managed, l.Info().Other})
		require.Equal(t, l.Info(), l.changes[len(l.changes)-1])
	}
	l.advance(20 * time.Second)
	require.True(t, l.Info().NoRouter, "no router: DHCPv6 may be tried")
}
