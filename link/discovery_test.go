package link

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/link/nd"
)

// ND-008, ND-009: the first packet starts resolution, from its own source, and packets wait for the answer.
func TestFirstPacket6(t *testing.T) {
	l := newLab6(t, claimed)
	require.NoError(t, l.output6(hostLL, "x"))
	l.sends(ask6)
	l.is(hostLL, Incomplete)
	require.NoError(t, l.output6(hostLL, "y"))
	l.sends()
	l.tells(hostLL, hostMAC, "SO")
	l.sends("> host: ip x", "> host: ip y")
	l.is(hostLL, Reachable)
	require.Equal(t, Neighbor{IP: hostLL, MAC: hostMAC, State: Reachable}, l.row(hostLL))

	require.NoError(t, l.e.Output(l.now, datagram6(my6, other6, "z"), other6))
	l.sends("> 33:33:ff:00:00:09: 2001:db8::2 > ff02::1:ff00:9: NS 2001:db8::9 from me")
	require.NoError(t, l.e.Output(l.now, datagram6(host6, netip.MustParseAddr("2001:db8::8"), "forwarded"), netip.MustParseAddr("2001:db8::8")))
	l.sends("> 33:33:ff:00:00:08: 2001:db8::2 > ff02::1:ff00:8: NS 2001:db8::8 from me")
}

// ND-008: a host without an address asks nobody.
func TestNoSourceAddress6(t *testing.T) {
	l := newLab(t, claimed)
	require.NoError(t, l.output6(hostLL, "x"))
	l.sends()
	l.is(hostLL, Incomplete)
}

// ND-010, ND-011: three solicitations, one second apart, then the packets are returned and senders get an error; later the link tries again.
func TestSilentNeighbor6(t *testing.T) {
	l := newLab6(t, claimed)
	require.NoError(t, l.output6(hostLL, "a"))
	for range 20 {
		require.NoError(t, l.output6(hostLL, "b"))
	}
	l.sends(ask6)
	l.advance(time.Second - 1)
	l.sends()
	l.advance(1)
	l.sends(ask6)
	l.advance(2*time.Second - 1)
	l.sends(ask6)
	require.Empty(t, l.unreach)
	l.advance(1)
	l.sends()
	require.Len(t, l.unreach, 21)
	require.Equal(t, []netip.Addr{hostLL}, l.silent)
	require.ErrorIs(t, l.output6(hostLL, "c"), syscall.EHOSTUNREACH)
	l.advance(5 * time.Second)
	l.is(hostLL, "")
	require.NoError(t, l.output6(hostLL, "d"))
	l.sends(ask6)
}

// ND-010, ND-031: RetransTimer of a router's advertisement is the time between solicitations.
func TestRetransTimer(t *testing.T) {
	l := newLab6(t, claimed)
	l.e.SetNeighborTimes(0, 300*time.Millisecond)
	require.NoError(t, l.output6(hostLL, "a"))
	l.advance(599 * time.Millisecond)
	l.sends(ask6, ask6)
	l.advance(301 * time.Millisecond)
	l.sends(ask6)
	l.is(hostLL, Failed)
}

// ND-012, ND-014, ND-015: an own address is answered by unicast, another's not at all; the answer says whether the stack forwards.
func TestSolicitationIsAnswered(t *testing.T) {
	for router, flags := range map[bool]string{false: "SO", true: "RSO"} {
		cfg := claimed
		cfg.Router = router
		l := newLab6(t, cfg)
		l.asks(hostLL, myLL, hostMAC)
		l.asks(hostLL, my6, hostMAC)
		l.sends("> host: fe80::2 > fe80::1: NA fe80::2 "+flags+" from me", "> host: 2001:db8::2 > fe80::1: NA 2001:db8::2 "+flags+" from me")
		l.asks(hostLL, other6, hostMAC)
		l.asks(no6, other6, MAC{})
		require.EqualValues(t, 2, l.nd("nd.drop.not_our_target"))
		l.asks(no6, my6, MAC{})
		l.sends("> 33:33:00:00:00:01: 2001:db8::2 > ff02::1: NA 2001:db8::2 " + flags[:len(flags)-2] + "O from me")
	}
}

// ND-015: an asker that does not give its address is asked for it first.
func TestSolicitationWithoutAddress(t *testing.T) {
	l := newLab6(t, claimed)
	l.asks(hostLL, myLL, MAC{})
	l.sends(ask6)
	l.tells(hostLL, hostMAC, "SO")
	l.sends("> host: fe80::2 > fe80::1: NA fe80::2 SO from me")
}

// ND-013: a solicitation makes a STALE entry, or changes the MAC of one, and leaves IsRouter alone.
func TestSolicitationIntroduces(t *testing.T) {
	l := newLab6(t, claimed)
	l.asks(hostLL, myLL, hostMAC)
	require.Equal(t, Neighbor{IP: hostLL, MAC: hostMAC, State: Stale}, l.row(hostLL))
	l.tells(hostLL, hostMAC, "RSO")
	l.asks(hostLL, myLL, hostMAC)
	require.Equal(t, Neighbor{IP: hostLL, MAC: hostMAC, State: Reachable, Router: true}, l.row(hostLL))
	l.asks(hostLL, myLL, otherMAC)
	require.Equal(t, Neighbor{IP: hostLL, MAC: otherMAC, State: Stale, Router: true}, l.row(hostLL))
	l.asks(no6, my6, MAC{})
	require.Len(t, l.e.Neighbors(0), 1)

	l.output6(host6, "waits")
	l.dev.sent = nil
	l.asks(host6, my6, hostMAC)
	l.sends("> host: ip waits", "> host: 2001:db8::2 > 2001:db8::1: NA 2001:db8::2 SO from me")
	l.is(host6, Delay)
}

// ND-021: ip is told when a neighbour is no router any more, and only then.
func TestNotRouter(t *testing.T) {
	l := newLab6(t, claimed)
	l.hears6(hostLL, nd.AllNodes, &nd.RouterAdvertisement{Source: nd.LinkLayer(hostMAC)})
	require.True(t, l.row(hostLL).Router)
	l.tells(hostLL, hostMAC, "RO")
	require.Empty(t, l.notRouters)
	l.tells(hostLL, hostMAC, "O")
	require.Equal(t, []netip.Addr{hostLL}, l.notRouters)
	l.tells(hostLL, hostMAC, "O")
	require.Len(t, l.notRouters, 1)
	l.hears6(hostLL, nd.AllNodes, &nd.RouterAdvertisement{})
	require.True(t, l.row(hostLL).Router, "also without its MAC")
}

// ND-028: a host discards router solicitations. A router learns the sender, which is none (RFC 4861 section 6.2.6).
func TestRouterSolicitation(t *testing.T) {
	l := newLab6(t, claimed)
	l.hears6(hostLL, nd.AllRouters, &nd.RouterSolicitation{Source: nd.LinkLayer(hostMAC)})
	require.Empty(t, l.e.Neighbors(0))
	require.EqualValues(t, 1, l.nd("nd.drop.not_a_router"))

	cfg := claimed
	cfg.Router = true
	l = newLab6(t, cfg)
	l.hears6(hostLL, nd.AllNodes, &nd.RouterAdvertisement{Source: nd.LinkLayer(hostMAC)})
	for range 2 {
		l.hears6(hostLL, nd.AllRouters, &nd.RouterSolicitation{})
	}
	require.Equal(t, Neighbor{IP: hostLL, MAC: hostMAC, State: Stale}, l.row(hostLL))
	require.Equal(t, []netip.Addr{hostLL}, l.notRouters)
	l.hears6(no6, nd.AllRouters, &nd.RouterSolicitation{})
	l.hears6(host6, nd.AllRouters, &nd.RouterSolicitation{Source: nd.LinkLayer(otherMAC)})
	require.Equal(t, Neighbor{IP: host6, MAC: otherMAC, State: Stale}, l.row(host6))
	l.sends()
}

// ND-038: the target of a Redirect is STALE at its MAC, and a router unless it is the destination.
func TestRedirected(t *testing.T) {
	l := newLab6(t, claimed)
	l.e.Redirected(l.now, hostLL, nd.LinkLayer(hostMAC), true)
	require.Equal(t, Neighbor{IP: hostLL, MAC: hostMAC, State: Stale, Router: true}, l.row(hostLL))
	require.Equal(t, nd.LinkLayer(hostMAC), l.e.LinkLayerOf(hostLL))
	l.e.Redirected(l.now, host6, nd.LinkLayer(hostMAC), false)
	require.Equal(t, Neighbor{IP: host6, MAC: hostMAC, State: Stale}, l.row(host6))
	l.e.Redirected(l.now, other6, nd.LinkLayer{}, true)
	l.is(other6, "")
	require.Zero(t, l.e.LinkLayerOf(other6))
}

// ND-016: an answer for an anycast address waits up to a second, and does not override another host's.
func TestAnycast(t *testing.T) {
	cfg := claimed
	cfg.Router = true
	l := newLab6(t, cfg)
	anycast := netip.MustParseAddr("2001:db8::")
	l.anycasts = []netip.Addr{anycast}
	times := map[time.Duration]bool{}
	for range 20 {
		l.asks(hostLL, anycast, hostMAC)
		l.sends()
		wait := l.next()
		require.LessOrEqual(t, wait, time.Second)
		times[wait] = true
		l.sends("> host: 2001:db8::2 > fe80::1: NA 2001:db8:: RS from me")
	}
	require.Greater(t, len(times), 10)
	l.asks(no6, anycast, MAC{})
	l.advance(time.Second)
	l.sends("> 33:33:00:00:00:01: 2001:db8::2 > ff02::1: NA 2001:db8:: R from me")

	for range 100 {
		l.asks(hostLL, anycast, hostMAC)
	}
	l.advance(time.Second)
	require.Len(t, l.dev.sent, maxDelayed)
	require.EqualValues(t, 100-maxDelayed, l.nd("nd.drop.answer_flood"))
	require.Zero(t, l.e.discovery.delayed)
}

// Messages that the link returns have no effect (RFC 7527 section 4.2).
func TestLoopedMessages(t *testing.T) {
	l := newLab6(t, claimed)
	l.tells(my6, myMAC, "O")
	l.asks(my6, hostLL, myMAC)
	require.EqualValues(t, 2, l.nd("nd.drop.looped"))
	require.Empty(t, l.conflicts)
	require.Empty(t, l.e.Neighbors(0))
}

// A solicitation from an address that no host has is dropped.
func TestSolicitationFromNoHost(t *testing.T) {
	l := newLab6(t, claimed)
	l.asks(netip.IPv6Loopback(), my6, hostMAC)
	require.EqualValues(t, 1, l.nd("nd.drop.bad_sender"))
	l.sends()
}

// ND-043: a scan of a network costs bounded memory and evicts no known neighbour, also from a full cache, and the stack still answers for
// itself and finds other neighbours.
func TestScan(t *testing.T) {
	cfg := claimed
	cfg.Neighbors.Max = 100
	l := newLab6(t, cfg)
	neighbor := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", i)) }
	for i := range 100 {
		l.known(neighbor(i), hostMAC)
	}
	l.advance(time.Minute)
	l.output6(neighbor(7), "in use")
	for i := range 10_000 {
		a := netip.MustParseAddr(fmt.Sprintf("2001:db8:2::%x", i))
		require.NoError(t, l.e.Output(l.now, datagram6(host6, a, "scan"), a))
		l.advance(time.Millisecond)
		if l.row(neighbor(7)).State == Probe {
			l.tells(neighbor(7), hostMAC, "S")
		}
	}
	for i := range 100 {
		require.Equal(t, hostMAC, l.row(neighbor(i)).MAC)
	}
	require.Len(t, l.e.Neighbors(0), 150)
	require.LessOrEqual(t, l.e.held.packets, 50)
	require.LessOrEqual(t, l.timers.Len(), 150)
	l.dev.sent = nil
	l.asks(hostLL, my6, hostMAC)
	l.sends("> host: 2001:db8::2 > fe80::1: NA 2001:db8::2 SO from me")
	l.output6(neighbor(7), "still")
	l.sends("> host: ip still")
	l.output6(other6, "a new one")
	l.tells(other6, otherMAC, "SO")
	l.dev.sent = l.dev.sent[1:]
	l.sends("> other: ip a new one")
}

// ND-002: packets of each family are resolved by its own protocol, on one cache, and those for a group by none.
func TestBothFamilies(t *testing.T) {
	l := newLab6(t, claimed)
	require.NoError(t, l.output(hostIP, "4"))
	require.NoError(t, l.output6(hostLL, "6"))
	l.sends("> all: who-has 10.0.0.1 tell 10.0.0.2", ask6)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.tells(hostLL, hostMAC, "SO")
	l.sends("> host: ip 4", "> host: ip 6")
	p := datagram6(myLL, nd.AllNodes, "all")
	p.Cast = packet.Multicast
	require.NoError(t, l.e.Output(l.now, p, nd.AllNodes))
	l.sends("> 33:33:00:00:00:01: ip all")
}
