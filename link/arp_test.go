package link

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

// LINK-008: requests for an owned address are answered by unicast, requests for another's are not answered.
func TestRequestIsAnswered(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opRequest, hostMAC, hostIP, myIP)
	l.sends("> host: 10.0.0.2 is-at me, to 10.0.0.1")
	l.hears(opRequest, hostMAC, hostIP, otherIP)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.sends()
}

// LINK-004: an ARP packet in an 802.3 frame with SNAP is accepted, too.
func TestRequestInSNAP(t *testing.T) {
	l := newLab(t, claimed)
	b := make([]byte, snapSize+arpSize+18) // padded to the 60 bytes of a real wire
	copy(b, []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 6})
	a := arpPacket{op: opRequest, sha: hostMAC, spa: hostIP, tpa: myIP}
	a.put(b[snapSize:])
	l.frame(broadcast, hostMAC, snapSize+arpSize, b)
	l.sends("> host: 10.0.0.2 is-at me, to 10.0.0.1")
}

// LINK-009: a gratuitous ARP, of either opcode, changes where the next frame goes, unless the neighbour is in use and was
// heard from lately.
func TestSenderUpdatesEntry(t *testing.T) {
	for _, op := range []uint16{opRequest, opReply} {
		l := newLab(t, claimed)
		l.hears(opReply, hostMAC, hostIP, myIP)
		l.hears(opRequest, hostMAC, hostIP, myIP)
		l.dev.sent = nil
		l.hears(op, otherMAC, hostIP, hostIP)
		require.NoError(t, l.output(hostIP, "x"))
		l.sends("> other: ip x")
		l.advance(time.Minute)
		l.is(hostIP, Stale)
		l.hears(op, hostMAC, hostIP, hostIP)
		require.NoError(t, l.output(hostIP, "y"))
		l.sends("> host: ip y")
	}
}

// LINK-010: the sender of a request for an owned address is learned, the sender of a request for another is not.
func TestSenderIsLearned(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opRequest, otherMAC, otherIP, hostIP)
	l.hears(opReply, otherMAC, otherIP, hostIP)
	require.Empty(t, l.e.Neighbors(0))
	l.hears(opRequest, hostMAC, hostIP, myIP)
	l.sends("> host: 10.0.0.2 is-at me, to 10.0.0.1")
	require.NoError(t, l.output(hostIP, "x"))
	l.sends("> host: ip x")
	l.advance(3 * time.Second)
	require.Equal(t, []Neighbor{{IP: hostIP, MAC: hostMAC, State: Reachable, Age: 3 * time.Second}}, l.e.Neighbors(l.now))
}

// LINK-006, LINK-011, LINK-015: the first packet starts resolution and is sent when the answer comes.
func TestFirstPacket(t *testing.T) {
	l := newLab(t, claimed)
	require.NoError(t, l.output(hostIP, "x"))
	l.sends("> all: who-has 10.0.0.1 tell 10.0.0.2")
	l.is(hostIP, Incomplete)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.sends("> host: ip x")
	l.is(hostIP, Reachable)
	require.NoError(t, l.output(hostIP, "y"))
	l.sends("> host: ip y")
	require.Zero(t, l.e.held)
}

// LINK-011: the request as it is on the wire.
func TestRequestBytes(t *testing.T) {
	l := newLab(t, claimed)
	require.NoError(t, l.output(hostIP, "x"))
	require.Equal(t, "ffffffffffff020000000002"+"0806"+"0001"+"0800"+"0604"+"0001"+
		"020000000002"+"0a000002"+"000000000000"+"0a000001", fmt.Sprintf("%x", l.dev.sent[0].data))
}

// LINK-011: the sender address of a request is the datagram's source, or for another host's datagram the lowest of ours.
func TestRequestSender(t *testing.T) {
	second := netip.MustParseAddr("10.0.0.3")
	for _, tt := range []struct{ from, want string }{
		{"10.0.0.3", "10.0.0.3"},
		{"10.0.0.2", "10.0.0.2"},
		{"192.0.2.1", "10.0.0.2"},
	} {
		l := newLab(t, claimed)
		l.e.Claim(0, second, func(time.Duration, error) {})
		require.NoError(t, l.e.Output(0, datagram(netip.MustParseAddr(tt.from), hostIP, "x"), hostIP))
		l.sends("> all: who-has 10.0.0.1 tell " + tt.want)
	}
	l := newLab(t, Config{}) // owns no address
	require.NoError(t, l.output(hostIP, "x"))
	l.sends("> all: who-has 10.0.0.1 tell 0.0.0.0")
}

// LINK-012: a truncated ARP packet, or one that is not of IPv4 over Ethernet, has no effect.
func TestMalformedARP(t *testing.T) {
	good := make([]byte, arpSize)
	a := arpPacket{op: opRequest, sha: otherMAC, spa: hostIP, tpa: myIP}
	a.put(good)
	for _, tt := range []struct {
		name string
		at   int
		to   byte
		size int
	}{
		{"hardware type 6", 1, 6, arpSize},
		{"protocol 0x0801", 3, 1, arpSize},
		{"hardware length 8", 4, 8, arpSize},
		{"protocol length 16", 5, 16, arpSize},
		{"truncated", 0, 0, arpSize - 1},
		{"empty", 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, claimed)
			l.hears(opReply, hostMAC, hostIP, myIP)
			b := append([]byte{}, good...)
			b[tt.at] = tt.to
			l.frame(broadcast, otherMAC, typeARP, b[:tt.size])
			require.EqualValues(t, 1, l.arp("arp.drop.malformed"))
			require.NoError(t, l.output(hostIP, "x"))
			l.sends("> host: ip x")
		})
	}
}

// LINK-013: an entry in use is polled by unicast when it is out of date, and serves meanwhile.
func TestStaleEntryIsPolled(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opReply, hostMAC, hostIP, myIP)
	require.NoError(t, l.output(hostIP, "a"))
	l.advance(time.Minute)
	l.is(hostIP, Stale)
	require.NoError(t, l.output(hostIP, "b"))
	require.NoError(t, l.output(hostIP, "c"))
	l.sends("> host: ip a", "> host: who-has 10.0.0.1 tell 10.0.0.2", "> host: ip b", "> host: ip c")
	l.is(hostIP, Probe)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.is(hostIP, Reachable)
	l.advance(59 * time.Second)
	require.NoError(t, l.output(hostIP, "d"))
	l.sends("> host: ip d")
}

// LINK-013: two unanswered unicast polls, then broadcasts, one per second, then the neighbour is given up.
func TestStaleEntryDoesNotAnswer(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.advance(time.Minute)
	require.NoError(t, l.output(hostIP, "a"))
	l.advance(4 * time.Second)
	require.NoError(t, l.output(hostIP, "b"))
	poll, ask := "> host: who-has 10.0.0.1 tell 10.0.0.2", "> all: who-has 10.0.0.1 tell 10.0.0.2"
	l.sends(poll, "> host: ip a", poll, ask, ask, ask, "> host: ip b")
	l.advance(time.Second)
	l.is(hostIP, Failed)
	require.ErrorIs(t, l.output(hostIP, "c"), syscall.EHOSTUNREACH)
}

// LINK-013: an unused entry is flushed, and the next packet starts a resolution; the times are configurable.
func TestUnusedEntryIsFlushed(t *testing.T) {
	cfg := claimed
	cfg.Neighbors = NeighborCache{Reachable: 10 * time.Second, Stale: 20 * time.Second}
	l := newLab(t, cfg)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.advance(10 * time.Second)
	l.is(hostIP, Stale)
	l.advance(20 * time.Second)
	l.is(hostIP, "")
	require.Zero(t, l.timers.Len())
	require.NoError(t, l.output(hostIP, "a"))
	l.sends("> all: who-has 10.0.0.1 tell 10.0.0.2")
}

// LINK-014: one request per second, however many packets there are.
func TestRequestsAreRateLimited(t *testing.T) {
	l := newLab(t, claimed)
	ask := "> all: who-has 10.0.0.1 tell 10.0.0.2"
	for _, want := range [][]string{{ask}, {ask}, nil, {ask}, nil} { // each half second, its end included
		for range 50 {
			require.NoError(t, l.output(hostIP, "x"))
			l.advance(10 * time.Millisecond)
		}
		l.sends(want...)
	}
}

// LINK-016: after three unanswered requests the held packets are returned, senders get an error, and later the link tries
// again.
func TestUnreachable(t *testing.T) {
	l := newLab(t, claimed)
	require.NoError(t, l.output(hostIP, "a"))
	require.NoError(t, l.output(hostIP, "b"))
	l.advance(3*time.Second - 1)
	require.Empty(t, l.unreach)
	l.advance(1)
	require.Equal(t, []received{
		{l.now, bytesOf(datagram(myIP, hostIP, "a")), packet.Unicast},
		{l.now, bytesOf(datagram(myIP, hostIP, "b")), packet.Unicast},
	}, l.unreach)
	require.Zero(t, l.e.held)
	ask := "> all: who-has 10.0.0.1 tell 10.0.0.2"
	l.sends(ask, ask, ask)
	require.ErrorIs(t, l.output(hostIP, "c"), syscall.EHOSTUNREACH)
	require.EqualValues(t, 3, l.cache("neighbor.drop.unreachable"))
	require.EqualValues(t, 1, l.cache("neighbor.failed"))
	l.advance(5 * time.Second)
	l.is(hostIP, "")
	require.NoError(t, l.output(hostIP, "d"))
	l.sends(ask)
}

// A neighbour that failed and then sends is reachable at once.
func TestFailedNeighborComesBack(t *testing.T) {
	l := newLab(t, claimed)
	require.NoError(t, l.output(hostIP, "a"))
	l.advance(3 * time.Second)
	l.is(hostIP, Failed)
	l.hears(opRequest, hostMAC, hostIP, hostIP)
	l.dev.sent = nil
	require.NoError(t, l.output(hostIP, "b"))
	l.sends("> host: ip b")
}

// LINK-015: a whole ping of 65,507 bytes is held; beyond the bound the oldest packets are dropped.
func TestHoldBound(t *testing.T) {
	l := newLab(t, claimed)
	for i := range 100 {
		require.NoError(t, l.output(hostIP, fmt.Sprint(i)))
	}
	require.EqualValues(t, 36, l.cache("neighbor.drop.hold_full"))
	l.dev.sent = nil
	l.hears(opReply, hostMAC, hostIP, myIP)
	var want []string
	for i := 36; i < 100; i++ {
		want = append(want, fmt.Sprint("> host: ip ", i))
	}
	l.sends(want...)
	require.Zero(t, l.e.held)
}

// LINK-015, SEC-017: the total is bounded, and still each neighbour's latest packet is held.
func TestHoldBoundOfAll(t *testing.T) {
	l := newLab(t, claimed)
	neighbour := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}) }
	for i := range 100 {
		for range 60 {
			require.NoError(t, l.output(neighbour(i), "x"))
		}
	}
	require.Equal(t, holdPackets/60*60+4+82, l.e.held.packets) // 17 neighbours hold 60, the next one the rest, the others 1
	for i := range 100 {
		require.NotEmpty(t, l.e.table.get(neighbour(i)).held)
	}
	l.advance(3 * time.Second)
	require.Zero(t, l.e.held)
}

func TestHoldBoundInBytes(t *testing.T) {
	l := newLab(t, claimed)
	large := strings.Repeat("x", 65000)
	for i := range 200 {
		require.NoError(t, l.output(netip.AddrFrom4([4]byte{10, 1, 0, byte(i % 4)}), large))
	}
	require.LessOrEqual(t, l.e.held.bytes, holdBytes)
	require.Greater(t, l.e.held.bytes, holdBytes-66000)
}

// A held packet is independent of its sender and small.
func TestHeldPacketIsOwned(t *testing.T) {
	l := newLab(t, claimed)
	payload := []byte("bc")
	p := datagram(myIP, hostIP, "a")
	p.Borrow([2][]byte{payload})
	require.NoError(t, l.e.Output(0, p, hostIP))
	copy(payload, "XX")
	l.dev.sent = nil
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.sends("> host: ip abc")
}

// A late call of a timer that has been armed again meanwhile does nothing.
func TestLateTimer(t *testing.T) {
	l := newLab(t, claimed)
	require.NoError(t, l.output(hostIP, "x"))
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.e.table.get(hostIP).Expire(time.Second)
	l.is(hostIP, Reachable)
}
