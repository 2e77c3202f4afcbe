package autoconf

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

func withTemporary(t *testing.T) *lab {
	return startedWith(t, Config{LinkLocal: true, Routers: true, Temporary: true})
}

// temporaries are the temporary addresses of a prefix, the oldest first.
func (l *lab) temporaries(p netip.Prefix) []ip.AddressInfo {
	return slices.DeleteFunc(l.of(p), func(a ip.AddressInfo) bool { return !a.Temporary })
}

func TestTemporaryAddress(t *testing.T) { // SLAAC-019
	l := withTemporary(t)
	l.hears(routerA, ra(prefix1))
	require.Len(t, l.of(prefix1), 2)
	require.Len(t, l.temporaries(prefix1), 1)
	short := l.temporaries(prefix1)[0]
	require.Equal(t, []time.Duration{30 * time.Minute, time.Hour}, []time.Duration{short.Preferred, short.Valid}, "those of the prefix")
	require.Equal(t, short.Prefix.Addr(), l.source())
	require.Contains(t, l.wire.claimed, short.Prefix.Addr(), "SLAAC-020")
	require.Len(t, l.of(linkLocal), 1)

	long := prefixRA(prefix2, ip.Forever, ip.Forever)
	l.hears(routerA, long)
	a := l.temporaries(prefix2)[0]
	require.Equal(t, tempValidLifetime, a.Valid)
	require.LessOrEqual(t, a.Preferred, tempPreferredLifetime)
	require.GreaterOrEqual(t, a.Preferred, tempPreferredLifetime-maxDesyncFactor)
	l.advance(time.Hour)
	l.hears(routerA, long)
	b := l.temporaries(prefix2)[0]
	require.Equal(t, a.Prefix, b.Prefix)
	require.Equal(t, a.Valid-time.Hour, b.Valid, "no advertisement makes it older")
	require.Equal(t, a.Preferred-time.Hour, b.Preferred)

	require.Empty(t, func() []ip.AddressInfo {
		l := started(t)
		l.hears(routerA, ra(prefix1))
		return l.temporaries(prefix1)
	}(), "only where it is switched on")
}

// SLAAC-020: over four days a new address replaces each shortly before it is deprecated, and there are never many.
func TestTemporaryAddressesAreReplaced(t *testing.T) {
	l := withTemporary(t)
	seen := map[netip.Addr]bool{}
	for range 4 * 24 * 60 {
		l.hears(routerA, prefixRA(prefix1, 7*24*time.Hour, 30*24*time.Hour))
		list := l.temporaries(prefix1)
		require.NotEmpty(t, list)
		require.LessOrEqual(t, len(list), 5)
		require.False(t, list[len(list)-1].Deprecated, "there is always one to use")
		for _, a := range list {
			seen[a.Prefix.Addr()] = true
		}
		l.advance(time.Minute)
	}
	require.GreaterOrEqual(t, len(seen), 4)
	require.LessOrEqual(t, len(seen), 8)
}

// SLAAC-020: a prefix that is deprecated gets no new temporary address, and neither does one that is so soon.
func TestNoTemporaryAddressOfDeprecatedPrefix(t *testing.T) {
	l := withTemporary(t)
	l.hears(routerA, prefixRA(prefix1, time.Hour, 4*time.Hour))
	l.hears(routerA, prefixRA(prefix1, 0, 4*time.Hour))
	require.Len(t, l.temporaries(prefix1), 1)
	require.True(t, l.temporaries(prefix1)[0].Deprecated)
	for _, preferred := range []time.Duration{0, regenAdvance} {
		l.hears(routerA, prefixRA(prefix2, preferred, time.Hour))
		l.advance(10 * time.Second)
		require.Empty(t, l.temporaries(prefix2))
	}
	l.hears(routerA, prefixRA(prefix1, time.Hour, 4*time.Hour))
	require.Len(t, l.temporaries(prefix1), 1, "it is preferred again")
	require.False(t, l.temporaries(prefix1)[0].Deprecated)
}

func TestDuplicateTemporaryAddress(t *testing.T) { // SLAAC-017, SLAAC-020
	l := withTemporary(t)
	l.wire.claimed = nil
	l.wire.taken = func(netip.Addr) bool { return len(l.wire.claimed) > 1 }
	l.hears(routerA, ra(prefix1))
	l.advance(time.Minute)
	require.Len(t, l.wire.claimed, 1+1+idgenRetries)
	require.Len(t, l.of(prefix1), 1)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(addrStrings(l.wire.claimed)))), 1+1+idgenRetries, "all different")
}

func addrStrings(list []netip.Addr) (s []string) {
	for _, a := range list {
		s = append(s, a.String())
	}
	return s
}
