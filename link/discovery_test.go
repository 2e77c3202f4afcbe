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

// ND-018, ND-019, ND-020: every state, with every combination of the flags Solicited and Override, and the known MAC, another, or none.
func TestAdvertisement(t *testing.T) {
	states := map[State]func(l *lab){
		Incomplete: func(l *lab) { l.output6(hostLL, "held") },
		Reachable:  func(l *lab) { l.known(hostLL, hostMAC) },
		Stale:      func(l *lab) { l.asks(hostLL, myLL, hostMAC) },
		Delay:      func(l *lab) { l.asks(hostLL, myLL, hostMAC); l.output6(hostLL, "x") },
		Probe:      func(l *lab) { l.asks(hostLL, myLL, hostMAC); l.output6(hostLL, "x"); l.advance(5 * time.Second) },
	}
	for state, enter := range states {
		for _, flags := range []string{"", "S", "O", "SO"} {
			for _, mac := range []MAC{hostMAC, otherMAC, {}} {
				t.Run(fmt.Sprint(state, " ", flags, " ", mac), func(t *testing.T) {
					l := newLab6(t, claimed)
					enter(l)
					l.is(hostLL, state)
					l.tells(hostLL, mac, flags)
					require.Equal(t, advertised(state, flags, mac), Neighbor{IP: hostLL, MAC: l.row(hostLL).MAC, State: l.row(hostLL).State})
				})
			}
		}
	}
}

// advertised is RFC 4861's section 7.2.5 for a neighbour at hostMAC.
func advertised(state State, flags string, mac MAC) Neighbor {
	solicited, override := flags == "S" || flags == "SO", flags == "O" || flags == "SO"
	n := Neighbor{IP: hostLL, MAC: hostMAC, State: state}
	switch {
	case state == Incomplete && mac == MAC{}:
		n.MAC = MAC{}
	case state == Incomplete && solicited:
		n.MAC, n.State = mac, Reachable
	case state == Incomplete: // the packet that waited is sent, which begins to find out whether the neighbour is reachable
		n.MAC, n.State = mac, Delay
	case !override && mac == otherMAC:
		if state == Reachable {
			n.State = Stale
		}
	case solicited:
		n.State = Reachable
		if mac == otherMAC {
			n.MAC = otherMAC
		}
	case mac == otherMAC:
		n.MAC, n.State = otherMAC, Stale
	}
	return n
}

// ND-017: an advertisement makes no entry, and revives no neighbour that has failed, as in Linux; its own solicitation does.
func TestUnaskedAdvertisement(t *testing.T) {
	l := newLab6(t, claimed)
	l.tells(hostLL, hostMAC, "O")
	require.Empty(t, l.e.Neighbors(0))
	l.output6(hostLL, "x")
	l.advance(3 * time.Second)
	l.is(hostLL, Failed)
	l.tells(hostLL, hostMAC, "SO")
	l.is(hostLL, Failed)
	require.EqualValues(t, 2, l.nd("nd.drop.unasked"))
	l.asks(hostLL, myLL, hostMAC)
	l.is(hostLL, Stale)
}

// ND-022: REACHABLE, STALE, DELAY and PROBE, with nobody answering.
func TestSilentNeighborInUse(t *testing.T) {
	l := newLab6(t, claimed)
	l.known(hostLL, hostMAC)
	l.advance(45 * time.Second)
	l.is(hostLL, Stale)
	require.NoError(t, l.output6(hostLL, "a"))
	l.sends("> host: ip a")
	l.is(hostLL, Delay)
	l.advance(5*time.Second - 1)
	l.is(hostLL, Delay)
	l.sends()
	l.advance(1)
	l.is(hostLL, Probe)
	require.NoError(t, l.output6(hostLL, "b"))
	l.advance(2 * time.Second)
	l.sends(poll6, "> host: ip b", poll6, poll6)
	l.advance(time.Second)
	l.is(hostLL, Failed)
	l.sends()
	require.Equal(t, []netip.Addr{hostLL}, l.silent)
}

// ND-022, ND-023: an answer to a solicitation confirms a neighbour in DELAY and in PROBE; nothing else does.
func TestConfirmation(t *testing.T) {
	for _, wait := range []time.Duration{4, 6} {
		l := newLab6(t, claimed)
		l.asks(hostLL, myLL, hostMAC)
		l.output6(hostLL, "a")
		l.advance(wait * time.Second)
		state := l.row(hostLL).State
		l.tells(hostLL, hostMAC, "O")
		l.asks(hostLL, myLL, hostMAC)
		l.hears6(hostLL, nd.AllNodes, &nd.RouterAdvertisement{Source: nd.LinkLayer(hostMAC)})
		l.is(hostLL, state)
		l.tells(hostLL, hostMAC, "S")
		l.is(hostLL, Reachable)
		require.Equal(t, time.Duration(0), l.row(hostLL).Age)
	}
}

// ND-023, ND-024: the progress of a connection confirms the next hop, so that it is not asked; not one that is unknown or failed.
func TestProgressConfirms(t *testing.T) {
	l := newLab6(t, claimed)
	l.e.Confirm(l.now, hostLL)
	l.is(hostLL, "")
	l.known(hostLL, hostMAC)
	for range 100 {
		l.advance(time.Second)
		l.e.Confirm(l.now, hostLL)
		l.is(hostLL, Reachable)
		require.NoError(t, l.output6(hostLL, "x"))
		l.sends("> host: ip x")
	}
	l.advance(time.Minute)
	require.NoError(t, l.output6(hostLL, "x"))
	l.is(hostLL, Delay)
	l.e.Confirm(l.now, hostLL)
	l.is(hostLL, Reachable)

	l.output6(host6, "x")
	l.e.Confirm(l.now, host6)
	l.is(host6, Incomplete)
	l.advance(3 * time.Second)
	l.e.Confirm(l.now, host6)
	l.is(host6, Failed)
}

// ND-025, ND-031: ReachableTime is drawn from half to one and a half of the base, anew with a new base and every two hours.
func TestReachableTime(t *testing.T) {
	l := newLab6(t, claimed)
	draw := func() time.Duration {
		return l.e.discovery.pace(l.now).reachable
	}
	within := func(base time.Duration) {
		t.Helper()
		require.InDelta(t, base, draw(), float64(base/2))
	}
	within(30 * time.Second)
	first := draw()
	require.Equal(t, first, draw())
	l.e.SetNeighborTimes(30*time.Second, 0)
	require.Equal(t, first, draw(), "the same base")
	l.e.SetNeighborTimes(time.Minute, 0)
	within(time.Minute)
	l.e.SetNeighborTimes(0, 0)
	second := draw()
	within(time.Minute)
	seen := map[time.Duration]bool{second: true}
	for range 10 {
		l.advance(2 * time.Hour)
		within(time.Minute)
		seen[draw()] = true
	}
	require.Len(t, seen, 11)
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
