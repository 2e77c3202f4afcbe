package autoconf

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

// ND-026: the first solicitation follows the link-local address by up to a second, with the host's hardware address.
func TestSolicitation(t *testing.T) {
	l := newLab(t, Config{LinkLocal: true, Routers: true, MAC: [6]byte{2, 0, 0, 0, 0, 2}})
	l.Start(0)
	l.advance(maxSolicitationDelay)
	sent := l.solicitations()
	require.Len(t, sent, 1)
	var h ipv6.Header
	require.True(t, h.Parse(sent[0].Data))
	require.Equal(t, nd.AllRouters, h.Dst)
	require.Equal(t, l.one(linkLocal).Prefix.Addr(), h.Src)
	require.Equal(t, uint8(255), h.TTL)
	body := sent[0].Data[ipv6.HeaderLen:]
	require.Equal(t, []byte{1, 1, 2, 0, 0, 0, 0, 2}, body[8:])
	require.Equal(t, uint16(0xffff), checksum.Sum(body, checksum.Pseudo(h.Src, h.Dst, h.Protocol, len(body))))
}

// ND-027: over two hours of silence the solicitations become rarer, up to one an hour.
func TestSolicitationsBackOff(t *testing.T) {
	l := newLab(t, Config{LinkLocal: true, Routers: true})
	l.Start(0)
	var at []time.Duration
	for l.now < 8*time.Hour {
		l.advance(time.Second)
		for range l.solicitations() {
			at = append(at, l.now)
		}
	}
	want := 4.0
	for n := 1; n < len(at); n++ {
		got := (at[n] - at[n-1]).Seconds()
		require.InDelta(t, want, got, 0.11*want+1)
		want = min(2*got, 3600)
	}
	require.Greater(t, len(at), 15)
	require.True(t, l.Info().NoRouter)

	l.hears(routerA, ra())
	l.advance(3 * time.Hour)
	require.Empty(t, l.solicitations(), "a router has answered")
	require.False(t, l.Info().NoRouter)
}

// ND-026: an advertisement without a lifetime ends nothing, and one that comes first leaves one solicitation.
func TestSolicitationsEnd(t *testing.T) {
	l := newLab(t, Config{LinkLocal: true, Routers: true})
	l.Start(0)
	l.advance(0)
	l.hears(routerA, ra())
	l.advance(time.Hour)
	require.Len(t, l.solicitations(), 1)

	l = started(t)
	l.hears(routerA, nd.RouterAdvertisement{})
	l.advance(time.Minute)
	require.NotEmpty(t, l.solicitations())
}

func TestSolicitationWaitsForTheLinkLocalAddress(t *testing.T) {
	l := newLab(t, Config{LinkLocal: true, Routers: true})
	l.wire.slow = true
	l.Start(0)
	l.advance(5 * time.Second)
	require.Empty(t, l.solicitations())
	l.wire.decide(l.now, nil)
	l.advance(time.Second)
	require.Len(t, l.solicitations(), 1)

	l = newLab(t, Config{LinkLocal: true, Routers: true, EUI64: true, MAC: [6]byte{2, 0, 0, 0, 0, 2}})
	l.wire.taken = func(netip.Addr) bool { return true }
	l.Start(0)
	l.advance(time.Minute)
	require.Len(t, l.refused, 1, "SLAAC-008: a hardware address that another host has")
	require.Empty(t, l.solicitations())
	l.hears(routerA, ra(prefix1))
	require.Empty(t, l.eth0.Addresses())
	require.Empty(t, l.routeList())
	_, armed := l.timers.Next()
	require.False(t, armed)
}

// After a solicitation that the link loses the next one follows at its time.
func TestSolicitationLost(t *testing.T) {
	l := newLab(t, Config{LinkLocal: true, Routers: true})
	l.wire.Err = syscall.EHOSTUNREACH
	l.Start(0)
	l.advance(time.Second)
	l.wire.Err = nil
	l.advance(5 * time.Second)
	require.Len(t, l.solicitations(), 1)
}
