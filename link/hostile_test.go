package link

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SEC-017: senders that cannot be hosts are neither cached nor answered.
func TestOddSenders(t *testing.T) {
	for _, tt := range []struct {
		name string
		sha  MAC
		spa  string
		drop string
	}{
		{"broadcast MAC", broadcast, "10.0.0.1", "arp.drop.bad_sender"},
		{"multicast MAC", MAC{1, 0, 0x5e, 0, 0, 1}, "10.0.0.1", "arp.drop.bad_sender"},
		{"zero MAC", MAC{}, "10.0.0.1", "arp.drop.bad_sender"},
		{"broadcast IP", hostMAC, "255.255.255.255", "arp.drop.bad_sender"},
		{"multicast IP", hostMAC, "224.0.0.1", "arp.drop.bad_sender"},
		{"loopback IP", hostMAC, "127.0.0.1", "arp.drop.bad_sender"},
		{"directed broadcast", hostMAC, "10.0.0.255", "arp.drop.bad_sender"},
		{"class E", hostMAC, "240.0.0.1", "arp.drop.bad_sender"},
		{"this network", hostMAC, "0.0.0.7", "arp.drop.bad_sender"},
		{"own IP", hostMAC, "10.0.0.2", "arp.drop.conflict"},
		{"own MAC", myMAC, "10.0.0.1", "arp.drop.own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := claimed
			cfg.ACD.Defence = Keep
			l := newLab(t, cfg)
			a := arpPacket{op: opRequest, sha: tt.sha, spa: netip.MustParseAddr(tt.spa), tpa: myIP}
			p := a.frameFor(broadcast)
			copy(p.Bytes()[6:], hostMAC[:]) // the frame itself is valid
			l.e.Input(0, p)
			require.Empty(t, l.e.Neighbors(0))
			require.EqualValues(t, 1, l.arp(tt.drop))
			require.Zero(t, l.arp("arp.out.replies"))
		})
	}
}

// SEC-017: a zero sender is answered, because it may be a probe (LINK-022), but not cached.
func TestZeroSender(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opRequest, hostMAC, zeroIP, myIP)
	require.Empty(t, l.e.Neighbors(0))
}

// SEC-017: an operation that is neither a request nor a reply changes nothing, and causes no conflict.
func TestUnknownOperations(t *testing.T) {
	for _, op := range []uint16{0, 3, 9} {
		l := newLab(t, claimed)
		require.NoError(t, l.output(otherIP, "waits"))
		l.dev.sent = nil
		l.hears(op, hostMAC, hostIP, myIP)
		l.hears(op, otherMAC, otherIP, myIP)
		l.hears(op, hostMAC, myIP, myIP)
		l.sends()
		l.is(hostIP, "")
		l.is(otherIP, Incomplete)
		require.Empty(t, l.conflicts)
		require.EqualValues(t, 3, l.arp("arp.drop.unknown_operation"))
	}
}

// SEC-017: after a claim to the address of a neighbour in use the neighbour is polled, and keeps its entry if it answers.
func TestDisputedNeighbor(t *testing.T) {
	poll := "> host: who-has 10.0.0.1 tell 10.0.0.2"
	for _, op := range []uint16{opRequest, opReply} {
		l := newLab(t, claimed)
		l.hears(opReply, hostMAC, hostIP, myIP)
		l.hears(opReply, hostMAC, hostIP, myIP)
		require.NoError(t, l.output(hostIP, "a"))
		l.hears(op, otherMAC, hostIP, hostIP)
		l.sends("> host: ip a")
		l.is(hostIP, Reachable) // it was just confirmed

		l.advance(2 * time.Second)
		for range 5 {
			l.hears(op, otherMAC, hostIP, hostIP)
		}
		l.sends(poll)
		require.NoError(t, l.output(hostIP, "b"))
		l.sends("> host: ip b")
		l.hears(opReply, hostMAC, hostIP, myIP)
		l.is(hostIP, Reachable)
		require.NoError(t, l.output(hostIP, "c"))
		l.sends("> host: ip c")
		require.EqualValues(t, 6, l.cache("neighbor.drop.disputed"))
	}
}

// A neighbour's new MAC is found a second late, if the old one does not answer.
func TestNeighborMoves(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opReply, hostMAC, hostIP, myIP)
	require.NoError(t, l.output(hostIP, "a"))
	l.advance(2 * time.Second)
	l.hears(opRequest, otherMAC, hostIP, hostIP)
	l.advance(time.Second)
	l.sends("> host: ip a", "> host: who-has 10.0.0.1 tell 10.0.0.2", "> all: who-has 10.0.0.1 tell 10.0.0.2")
	l.hears(opReply, otherMAC, hostIP, myIP)
	l.is(hostIP, Reachable)
	require.NoError(t, l.output(hostIP, "b"))
	l.sends("> other: ip b")
}

// flood sends requests for the stack's address from n senders of a network.
func (l *lab) flood(network byte, n int) {
	for i := range n {
		l.hears(opRequest, hostMAC, netip.AddrFrom4([4]byte{network, 0, byte(i >> 8), byte(i)}), myIP)
	}
}

// SEC-017: the cache is bounded, and a flood of senders evicts neither neighbours in use nor held packets.
func TestFloodOfSenders(t *testing.T) {
	cfg := claimed
	cfg.Neighbors.Max = 100
	l := newLab(t, cfg)
	l.hears(opReply, hostMAC, hostIP, myIP)
	require.NoError(t, l.output(hostIP, "x"))
	require.NoError(t, l.output(otherIP, "waits"))
	l.flood(11, 1000)
	require.Len(t, l.e.Neighbors(0), 100+1)
	require.Equal(t, 100+1, l.timers.Len())
	l.is(hostIP, Reachable)
	l.is(otherIP, Incomplete)
	l.dev.sent = nil
	l.hears(opReply, otherMAC, otherIP, myIP)
	l.sends("> other: ip waits")
}

// SEC-017: with a cache full of neighbours in use, a sender is not learned but still answered.
func TestSenderIsNotLearned(t *testing.T) {
	cfg := claimed
	cfg.Neighbors.Max = 1
	l := newLab(t, cfg)
	l.hears(opReply, otherMAC, otherIP, myIP)
	require.NoError(t, l.output(otherIP, "in use"))
	l.dev.sent = nil
	l.hears(opRequest, hostMAC, hostIP, myIP)
	l.sends("> host: 10.0.0.2 is-at me, to 10.0.0.1")
	l.is(hostIP, "")
	require.EqualValues(t, 1, l.cache("neighbor.drop.cache_full"))
}

// SEC-017: sending to many silent neighbours, as answers to forged sources do, is bounded, and the neighbours in use stay.
func TestFloodOfDestinations(t *testing.T) {
	cfg := claimed
	cfg.Neighbors.Max = 100
	l := newLab(t, cfg)
	l.hears(opReply, hostMAC, hostIP, myIP)
	require.NoError(t, l.output(hostIP, "x"))
	for i := range 1000 {
		require.NoError(t, l.output(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), "x"))
	}
	require.Len(t, l.e.Neighbors(0), 1+50)
	require.Equal(t, 50, l.e.held.packets)
	require.EqualValues(t, 950, l.cache("neighbor.drop.evicted"))
	l.is(hostIP, Reachable)
}

// ND-043, SEC-017: of the neighbours whose MAC is known the one with the lowest rank is evicted first: learned, stale, in use; of the others a failed
// one before one with packets held. Within a rank it is the oldest.
func TestEvictionOrder(t *testing.T) {
	cfg := claimed
	cfg.Neighbors = NeighborCache{Max: 4, Failed: time.Hour, Stale: time.Hour}
	l := newLab(t, cfg)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}) }
	l.hears(opReply, hostMAC, ip(1), myIP)
	require.NoError(t, l.output(ip(1), "stale later"))
	l.advance(time.Minute)
	l.hears(opReply, hostMAC, ip(2), myIP)
	l.advance(1)
	l.hears(opReply, hostMAC, ip(3), myIP)
	l.hears(opReply, hostMAC, ip(4), myIP)
	require.NoError(t, l.output(ip(4), "in use"))
	for i, gone := range []int{2, 3, 1} {
		require.NotNil(t, l.e.table.get(ip(gone)))
		l.hears(opReply, hostMAC, ip(100+i), myIP)
		require.NoError(t, l.output(ip(100+i), "x"))
		require.Nil(t, l.e.table.get(ip(gone)), "round %d", i)
	}

	require.NoError(t, l.output(ip(200), "waits"))
	l.hears(opReply, hostMAC, ip(200), myIP)
	require.Nil(t, l.e.table.get(ip(4)))

	require.NoError(t, l.output(ip(5), "fails"))
	l.advance(3 * time.Second)
	for i, gone := range []int{0, 5, 6, 7} {
		require.NoError(t, l.output(ip(6+i), "waits"))
		require.Nil(t, l.e.table.get(ip(gone)), "round %d", i)
	}
	require.Len(t, l.e.Neighbors(l.now), 4+2)
}

// All entry points run at once, for the race detector, and no held packet is lost.
func TestConcurrentUse(t *testing.T) {
	cfg := claimed
	cfg.Neighbors.Max = 20
	l := newLab(t, cfg)
	var wg sync.WaitGroup
	run := func(f func(r *rand.Rand, ip netip.Addr)) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, 1))
			for range 2000 {
				f(r, netip.AddrFrom4([4]byte{10, 0, 2, byte(r.IntN(40))}))
			}
		})
	}
	for range 2 {
		run(func(_ *rand.Rand, ip netip.Addr) { _ = l.e.Output(0, datagram(myIP, ip, "x"), ip) })
		run(func(r *rand.Rand, ip netip.Addr) { l.hears(uint16(r.IntN(2)+1), hostMAC, ip, myIP) })
	}
	run(func(r *rand.Rand, _ netip.Addr) { l.timers.Advance(time.Duration(r.IntN(10)) * time.Second) })
	run(func(_ *rand.Rand, ip netip.Addr) { l.e.Join(allHosts); l.e.Leave(allHosts); l.e.Neighbors(0) })
	run(func(_ *rand.Rand, ip netip.Addr) {
		l.e.Claim(0, ip, func(time.Duration, error) {})
		l.e.Release(ip)
	})
	wg.Wait()
	l.advance(time.Hour)
	require.Empty(t, l.e.Neighbors(l.now))
	require.Zero(t, l.e.held)
	require.Zero(t, l.timers.Len())
}
