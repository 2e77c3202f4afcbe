package autoconf

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

func TestReservedIdentifiers(t *testing.T) { // SLAAC-016
	for _, c := range []struct {
		a    string
		want bool
	}{
		{"::", true}, {"::1", false},
		{"::200:5eff:fe00:0", true}, {"::200:5eff:fe00:5213", true}, {"::200:5eff:feff:ffff", true},
		{"::200:5eff:fdff:ffff", false}, {"::200:5eff:ff00:0", false},
		{"::fdff:ffff:ffff:ff7f", false}, {"::fdff:ffff:ffff:ff80", true}, {"::fdff:ffff:ffff:ffff", true}, {"::fe00:0:0:0", false},
	} {
		a := addr(c.a).As16()
		require.Equal(t, c.want, identifier(a[8:]).reserved(), c.a)
	}
}

func TestEUI64(t *testing.T) { // SLAAC-018: the example of RFC 2464 section 4
	id := eui64([6]byte{0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde})
	require.Equal(t, addr("fe80::3656:78ff:fe9a:bcde"), id.in(linkLocal))
}

// SLAAC-015: the same secret gives the same addresses after a restart; every other input changes them.
func TestStableIdentifiers(t *testing.T) {
	secret, other := []byte("sixteen bytes at least"), []byte("another sixteen bytes")
	id := stable(secret, prefix1, "eth0", "", 0)
	require.Equal(t, id, stable(secret, prefix1, "eth0", "", 0))
	seen := map[identifier]bool{id: true}
	for _, another := range []identifier{
		stable(other, prefix1, "eth0", "", 0), stable(secret, prefix2, "eth0", "", 0), stable(secret, prefix1, "eth1", "", 0),
		stable(secret, prefix1, "eth0", "home", 0), stable(secret, prefix1, "eth", "0", 0), stable(secret, prefix1, "eth0", "", 1),
	} {
		require.False(t, seen[another])
		seen[another] = true
	}
}

func TestSecret(t *testing.T) { // SLAAC-015
	addrs := func(secret []byte) [2]netip.Addr {
		l := newLab(t, Config{LinkLocal: true, Routers: true, Secret: secret})
		l.Start(0)
		l.hears(routerA, ra(prefix1))
		return [2]netip.Addr{l.one(linkLocal).Prefix.Addr(), l.one(prefix1).Prefix.Addr()}
	}
	fixed := addrs([]byte("0123456789abcdef"))
	require.Equal(t, fixed, addrs([]byte("0123456789abcdef")))
	a, b := fixed[0].As16(), fixed[1].As16()
	require.NotEqual(t, a[8:], b[8:])
	require.NotEqual(t, fixed, addrs(nil), "a random one")

	_, err := New(Config{Secret: []byte("too short"), Rand: rand.NewChaCha8([32]byte{})})
	require.ErrorContains(t, err, "needs 16")
}

func TestLinkLocalAddress(t *testing.T) { // SLAAC-001, SLAAC-002
	l := newLab(t, Config{LinkLocal: true})
	require.Empty(t, l.eth0.Addresses())
	l.Start(0)
	l.advance(0)
	a := l.one(linkLocal)
	require.Equal(t, 64, a.Prefix.Bits())
	require.Equal(t, []time.Duration{ip.Forever, ip.Forever}, []time.Duration{a.Preferred, a.Valid})
	require.Equal(t, []netip.Addr{a.Prefix.Addr()}, l.wire.claimed)
	require.Equal(t, "link", l.via(addr("fe80::1%eth0")))
}

// SLAAC-017: a duplicate is followed by other addresses, after a wait, but not by many.
func TestDuplicates(t *testing.T) {
	l := newLab(t, Config{LinkLocal: true, Routers: true})
	l.wire.taken = func(netip.Addr) bool { return len(l.wire.claimed) < 3 }
	l.Start(0)
	l.advance(0)
	require.Empty(t, l.of(linkLocal))
	require.Len(t, l.wire.claimed, 1)
	l.advance(2 * idgenDelay)
	require.Equal(t, l.wire.claimed[2], l.one(linkLocal).Prefix.Addr())
	require.Equal(t, l.wire.claimed[:2], l.refused)

	l.wire.taken = func(netip.Addr) bool { return true }
	l.wire.claimed = nil
	l.hears(routerA, ra(prefix1))
	l.advance(time.Minute)
	require.Len(t, l.wire.claimed, 1+idgenRetries)
	l.hears(routerA, ra(prefix1))
	l.advance(time.Minute)
	require.Len(t, l.wire.claimed, 1+idgenRetries, "an advertisement does not make it try again")
	require.Empty(t, l.of(prefix1))
}
