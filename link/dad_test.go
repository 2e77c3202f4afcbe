package link

import (
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/link/nd"
)

const (
	probe6    = "> 33:33:ff:00:00:02: :: > ff02::1:ff00:2: NS 2001:db8::2 nonce"
	announce6 = "> 33:33:00:00:00:02: 2001:db8::2 > ff02::2: NA 2001:db8::2  from me"
)

// SLAAC-003: DupAddrDetectTransmits probes, RetransTimer apart, after up to a second; the address is in use RetransTimer after the last.
func TestDAD(t *testing.T) {
	for transmits, probes := range map[int]int{-1: 0, 0: 1, 1: 1, 3: 3} {
		for _, retrans := range []time.Duration{0, 300 * time.Millisecond} {
			l := newLab(t, Config{ACD: ACD{DupAddrDetectTransmits: transmits}})
			l.e.SetNeighborTimes(0, retrans)
			o := l.claim(my6)
			wait := max(retrans, time.Second)
			if retrans != 0 {
				wait = retrans
			}
			for i := range probes {
				require.Zero(t, o.calls)
				d := l.next()
				if i == 0 {
					require.LessOrEqual(t, d, time.Second)
				} else {
					require.Equal(t, wait, d)
				}
				l.sends(probe6)
			}
			if probes > 0 {
				require.Equal(t, wait, l.next())
			}
			require.Equal(t, &outcome{l.now, nil, 1}, o)
			l.sends(announce6)
			require.Zero(t, l.timers.Len())
		}
	}
}

// ND-040: a global address is announced to the routers, without Override; a link-local one is not.
func TestAnnouncement6(t *testing.T) {
	l := newLab(t, Config{ACD: ACD{ProbeNum: -1}})
	l.dev.sent = nil
	l.claim(my6)
	l.sends(announce6)
	l.claim(myLL)
	l.sends()
	require.EqualValues(t, 1, l.nd("nd.out.announcements"))
}

// ND-040: a router makes a STALE entry of an announcement (RFC 9131 section 6.1.2), a host does not.
func TestAnnouncementToRouter(t *testing.T) {
	for _, router := range []bool{false, true} {
		cfg := claimed
		cfg.Router = router
		l := newLab6(t, cfg)
		l.hears6(host6, nd.AllRouters, &nd.NeighborAdvertisement{Target: host6})
		l.is(host6, "")
		l.hears6(host6, nd.AllRouters, &nd.NeighborAdvertisement{Target: host6, TargetAddress: nd.LinkLayer(hostMAC)})
		if router {
			require.Equal(t, Neighbor{IP: host6, MAC: hostMAC, State: Stale}, l.row(host6))
		} else {
			l.is(host6, "")
		}
	}
}

// SLAAC-006, SLAAC-007: what makes a tentative address a duplicate, before the first probe and until the last has waited.
func TestTentative(t *testing.T) {
	nonce := []byte{1, 2, 3, 4, 5, 6}
	for name, tt := range map[string]struct {
		src, dst netip.Addr
		m        nd.Appender
		mac      MAC
		lost     bool
	}{
		"advertisement":               {my6, nd.AllNodes, &nd.NeighborAdvertisement{Target: my6, TargetAddress: nd.LinkLayer(otherMAC)}, otherMAC, true},
		"advertisement without a MAC": {my6, nd.AllNodes, &nd.NeighborAdvertisement{Target: my6}, MAC{}, true},
		"probe":                       {no6, nd.SolicitedNode(my6), &nd.NeighborSolicitation{Target: my6}, MAC{}, true},
		"probe with a nonce":          {no6, nd.SolicitedNode(my6), &nd.NeighborSolicitation{Target: my6, Nonce: nonce}, MAC{}, true},
		"probe for another address":   {no6, nd.SolicitedNode(host6), &nd.NeighborSolicitation{Target: host6}, MAC{}, false},
		"solicitation":                {host6, nd.SolicitedNode(my6), &nd.NeighborSolicitation{Target: my6, Source: nd.LinkLayer(hostMAC)}, MAC{}, false},
		"own advertisement":           {my6, nd.AllNodes, &nd.NeighborAdvertisement{Target: my6, TargetAddress: nd.LinkLayer(myMAC)}, MAC{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, steps := range []int{0, 1, 3} {
				l := newLab(t, Config{ACD: ACD{DupAddrDetectTransmits: 3}})
				o := l.claim(my6)
				for range steps {
					l.next()
				}
				l.advance(time.Second - 1)
				l.dev.sent = nil
				if steps == 0 {
					l = newLab(t, Config{})
					o = l.claim(my6)
				}
				l.hears6(tt.src, tt.dst, tt.m)
				l.sends() // SLAAC-006: no advertisement for a tentative address
				require.Equal(t, tt.lost, o.calls == 1)
				at := l.now
				l.advance(time.Minute)
				if !tt.lost {
					require.Equal(t, 1, o.calls)
					require.NoError(t, o.err)
					continue
				}
				require.Equal(t, &outcome{at, &Conflict{my6, tt.mac, true}, 1}, o)
				require.ErrorIs(t, o.err, syscall.EADDRINUSE)
				l.sends()
			}
		})
	}
}

// ND-042: a probe that comes back, an earlier one too, is no duplicate, nor does the stack answer it; one of a host that chose no nonce is.
func TestLoopedProbe(t *testing.T) {
	l := newLab(t, Config{ACD: ACD{DupAddrDetectTransmits: 3}})
	o := l.claim(my6)
	var probes []nd.NeighborSolicitation
	for range 3 {
		l.next()
		m := &nd.Message{Body: slices.Clone(l.dev.sent[len(l.dev.sent)-1].data[headerSize+40:])}
		probes = append(probes, m.NeighborSolicitation())
		for i := range probes {
			l.hears6(no6, nd.SolicitedNode(my6), &probes[i])
		}
	}
	require.NotEqual(t, make([]byte, 6), probes[0].Nonce)
	l.advance(time.Second)
	require.Equal(t, 1, o.calls)
	require.NoError(t, o.err)
	l.dev.sent = nil
	l.hears6(no6, nd.SolicitedNode(my6), &probes[0])
	l.sends()
	require.EqualValues(t, 7, l.nd("nd.drop.looped"))

	l = newLab6(t, claimed) // claims without probes have no nonce on the wire that could come back
	l.hears6(no6, nd.SolicitedNode(my6), &nd.NeighborSolicitation{Target: my6, Nonce: make([]byte, 6)})
	l.sends("> 33:33:00:00:00:01: 2001:db8::2 > ff02::1: NA 2001:db8::2 O from me")
}

// An address in use that another host uses, too, stays: the conflict is reported once in ten seconds, and the host's message has no other effect.
func TestConflictInUse6(t *testing.T) {
	l := newLab6(t, claimed)
	for _, hear := range []func(){
		func() { l.tells(my6, otherMAC, "O") },
		func() { l.asks(my6, myLL, otherMAC) },
		func() { l.asks(my6, hostLL, otherMAC) },
	} {
		l.conflicts = nil
		for range 3 {
			hear()
		}
		require.Equal(t, []*Conflict{{my6, otherMAC, false}}, l.conflicts)
		l.sends()
		require.Empty(t, l.e.Neighbors(0))
		l.advance(10 * time.Second)
	}
	require.EqualValues(t, 9, l.nd("nd.conflicts"))
	l.asks(hostLL, my6, hostMAC)
	l.sends("> host: 2001:db8::2 > fe80::1: NA 2001:db8::2 SO from me")
}

// Ten conflicts of one family slow down its claims, and not those of the other.
func TestClaimsOfFamilies(t *testing.T) {
	for _, ipv4 := range []bool{false, true} {
		l := newLab(t, Config{})
		for range 10 {
			if ipv4 {
				l.claim(myIP)
				l.hears(opReply, otherMAC, myIP, zeroIP)
			} else {
				l.claim(my6)
				l.tells(my6, otherMAC, "O")
			}
		}
		l.advance(time.Second)
		four, six := l.claim(myIP), l.claim(my6)
		l.advance(10 * time.Second)
		require.Equal(t, !ipv4, four.calls == 1)
		require.Equal(t, ipv4, six.calls == 1)
		l.advance(time.Minute)
		require.Equal(t, 2, four.calls+six.calls)
	}
}
