package link

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/link/nd"
)

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
