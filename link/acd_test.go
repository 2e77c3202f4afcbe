package link

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	probe        = "> all: who-has 10.0.0.2 tell 0.0.0.0"
	announcement = "> all: who-has 10.0.0.2 tell 10.0.0.2"
)

// outcome is the last call of a claim's done.
type outcome struct {
	at    time.Duration
	err   error
	calls int
}

func (l *lab) claim(addr netip.Addr) *outcome {
	o := &outcome{}
	l.e.Claim(l.now, addr, func(now time.Duration, err error) { o.at, o.err, o.calls = now, err, o.calls+1 })
	return o
}

// next moves to the next deadline and returns the time to it.
func (l *lab) next() time.Duration {
	at, ok := l.timers.Next()
	require.True(l.t, ok)
	d := at - l.now
	l.advance(d)
	return d
}

// LINK-018, LINK-020: three probes, then two announcements, at the times of RFC 5227 section 1.1.
func TestClaim(t *testing.T) {
	l := newLab(t, Config{})
	o := l.claim(myIP)
	l.sends()
	require.LessOrEqual(t, l.next(), time.Second)
	l.sends(probe)
	for range 2 {
		wait := l.next()
		require.GreaterOrEqual(t, wait, time.Second)
		require.LessOrEqual(t, wait, 2*time.Second)
		l.sends(probe)
	}
	l.hears(opRequest, hostMAC, hostIP, myIP)
	l.sends() // not owned yet
	require.Zero(t, o.calls)
	require.Equal(t, 2*time.Second, l.next())
	require.Equal(t, &outcome{l.now, nil, 1}, o)
	l.sends(announcement)
	require.Equal(t, 2*time.Second, l.next())
	l.sends(announcement)
	require.Zero(t, l.timers.Len())
	l.hears(opRequest, hostMAC, hostIP, myIP)
	l.sends("> host: 10.0.0.2 is-at me, to 10.0.0.1")
}

// LINK-018: the waits are random.
func TestProbeTimesDiffer(t *testing.T) {
	l := newLab(t, Config{})
	seen := map[time.Duration]bool{}
	for i := range 20 {
		start := l.now
		l.claim(netip.AddrFrom4([4]byte{10, 0, 0, byte(20 + i)}))
		l.next()
		seen[l.now-start] = true
		l.advance(time.Minute)
	}
	require.Greater(t, len(seen), 15)
}

// LINK-019: until two seconds after the last probe, another host's claim or probe makes the address unusable.
func TestClaimConflict(t *testing.T) {
	for _, tt := range []struct {
		name     string
		op       uint16
		sha      MAC
		spa, tpa netip.Addr
		lost     bool
	}{
		{"reply", opReply, otherMAC, myIP, zeroIP, true},
		{"request", opRequest, otherMAC, myIP, hostIP, true},
		{"announcement", opRequest, otherMAC, myIP, myIP, true},
		{"another's probe", opRequest, otherMAC, zeroIP, myIP, true},
		{"our own probe", opRequest, myMAC, zeroIP, myIP, false},
		{"a probe for another address", opRequest, otherMAC, zeroIP, hostIP, false},
		{"a reply to a probe of ours for another address", opReply, otherMAC, hostIP, zeroIP, false},
		{"a request for the address", opRequest, otherMAC, hostIP, myIP, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for steps := range 4 { // before the first probe, and after each
				l := newLab(t, Config{})
				o := l.claim(myIP)
				for range steps {
					l.next()
				}
				if steps == 3 {
					l.advance(2*time.Second - 1)
				}
				l.dev.sent = nil
				l.hears(tt.op, tt.sha, tt.spa, tt.tpa)
				at := l.now
				l.advance(time.Minute)
				if !tt.lost {
					require.NoError(t, o.err)
					require.Equal(t, 1, o.calls)
					continue
				}
				require.Equal(t, &outcome{at, &Conflict{myIP, otherMAC, true}, 1}, o)
				require.ErrorIs(t, o.err, syscall.EADDRINUSE)
				require.EqualError(t, o.err, "10.0.0.2 is in use by 02:00:00:00:00:09")
				l.sends()
			}
		})
	}
}

// LINK-018: after ten conflicts, one attempt per minute (RFC 5227 section 2.1.1), until one succeeds.
func TestClaimsAreSlowedDown(t *testing.T) {
	l := newLab(t, Config{})
	start := func() time.Duration {
		before := l.now
		l.claim(myIP)
		l.next()
		return l.now - before
	}
	for range 10 {
		require.LessOrEqual(t, start(), time.Second)
		l.hears(opReply, otherMAC, myIP, zeroIP)
	}
	for range 2 {
		require.Greater(t, start(), 58*time.Second)
		l.hears(opReply, otherMAC, myIP, zeroIP)
	}
	start()
	l.advance(time.Minute)
	l.e.Release(myIP)
	require.LessOrEqual(t, start(), time.Second)
}

func TestClaimErrors(t *testing.T) {
	l := newLab(t, claimed)
	require.ErrorIs(t, l.claim(myIP).err, syscall.EEXIST)
	for _, bad := range []string{"0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "::1"} {
		require.ErrorIs(t, l.claim(netip.MustParseAddr(bad)).err, syscall.EINVAL, bad)
	}
}

// Negative settings disable probes and announcements; short ones are for a link without other hosts.
func TestClaimSettings(t *testing.T) {
	l := newLab(t, Config{ACD: ACD{ProbeNum: -1}})
	l.sends(announcement)
	l.advance(2 * time.Second)
	l.sends(announcement)

	l = newLab(t, Config{ACD: ACD{ProbeWait: -1, ProbeNum: 1, AnnounceWait: time.Millisecond, AnnounceNum: 1}})
	o := l.claim(myIP)
	l.advance(time.Millisecond + 1)
	require.Equal(t, &outcome{time.Millisecond + 1, nil, 1}, o)
	l.sends(probe, announcement)
	require.Zero(t, l.timers.Len())
}

func TestRelease(t *testing.T) {
	l := newLab(t, Config{})
	o := l.claim(myIP)
	l.next()
	l.e.Release(myIP)
	l.advance(time.Minute)
	require.Zero(t, o.calls)
	l.sends(probe)
	l.claim(myIP)
	l.advance(time.Minute)
	l.dev.sent = nil
	l.e.Release(myIP)
	l.hears(opRequest, hostMAC, hostIP, myIP)
	l.hears(opReply, otherMAC, myIP, hostIP)
	l.sends()
	require.Empty(t, l.conflicts)
	l.e.Release(otherIP) // never claimed
}

// LINK-021: each reaction of RFC 5227 section 2.4 to conflicts at 0, 5, 11 and 30 s.
func TestDefence(t *testing.T) {
	defended, lost := &Conflict{myIP, otherMAC, false}, &Conflict{myIP, otherMAC, true}
	for _, tt := range []struct {
		name    string
		defence Defence
		told    []*Conflict
		sent    []int // announcements
	}{
		{"keep", Keep, []*Conflict{defended, defended, defended}, []int{1, 0, 1, 1}},
		{"once", Once, []*Conflict{defended, lost}, []int{1, 0, 0, 0}},
		{"yield", Yield, []*Conflict{lost}, []int{0, 0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Config{ACD: ACD{ProbeNum: -1, AnnounceNum: -1, Defence: tt.defence}})
			for i, wait := range []time.Duration{0, 5, 6, 19} {
				l.advance(wait * time.Second)
				l.hears(opRequest, otherMAC, myIP, hostIP)
				want := []string{}
				for range tt.sent[i] {
					want = append(want, announcement)
				}
				l.sends(want...)
			}
			require.Equal(t, tt.told, l.conflicts)
			stillOurs := !tt.told[len(tt.told)-1].Lost
			l.hears(opRequest, hostMAC, hostIP, myIP)
			require.Equal(t, stillOurs, len(l.dev.sent) == 1)
		})
	}
}

// LINK-021: with Once an address is given up only at a second conflict within ten seconds.
func TestDefendOnceAgain(t *testing.T) {
	l := newLab(t, Config{ACD: ACD{ProbeNum: -1, AnnounceNum: -1, Defence: Once}})
	for range 3 {
		l.hears(opReply, otherMAC, myIP, hostIP)
		l.sends(announcement)
		l.advance(10 * time.Second)
	}
}

// LINK-022: a probe for an address in use gets an ordinary answer, and is not a conflict.
func TestProbeIsAnswered(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opRequest, otherMAC, zeroIP, myIP)
	l.sends("> other: 10.0.0.2 is-at me, to 0.0.0.0")
	require.Empty(t, l.conflicts)
	require.Zero(t, l.arp("arp.conflicts"))
}

// Two hosts probe for one address at the same time: neither gets it.
func TestSimultaneousProbes(t *testing.T) {
	a, b := newLab(t, Config{}), newLab(t, Config{MAC: otherMAC})
	first, second := a.claim(myIP), b.claim(myIP)
	b.advance(time.Second)
	a.advance(time.Second)
	deliver := func(from, to *lab) {
		for _, s := range from.dev.sent {
			to.frame(MAC(s.data[0:6]), MAC(s.data[6:12]), typeARP, s.data[headerSize:])
		}
	}
	deliver(a, b)
	deliver(b, a)
	var c *Conflict
	require.True(t, errors.As(first.err, &c))
	require.Equal(t, otherMAC, c.MAC)
	require.True(t, errors.As(second.err, &c))
	require.Equal(t, myMAC, c.MAC)
}
