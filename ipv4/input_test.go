package ipv4

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/membership"
)

func TestDropsMalformedHeaders(t *testing.T) { // IP-001, IP-002, IP-003
	l := newLab(t, config{})
	good := func() []byte { return dgram(unicast(), pattern(20)) }
	fixed := func(change func(b []byte)) []byte {
		b := good()
		change(b)
		putChecksum(b[:20])
		return b
	}
	l.recv(good())
	require.Len(t, l.up.take(), 1)

	l.recv(fixed(func(b []byte) { b[0] = 5<<4 | 5 }))
	l.recv(nil)
	require.Equal(t, uint64(2), l.count("ip.drop.bad_version"))
	require.Empty(t, l.up.take())
	l.dropped(good()[:19], &l.v4.stats.DropTruncated)
	l.dropped(fixed(func(b []byte) { b[0] = 4<<4 | 4 }), &l.v4.stats.DropHeaderLen)
	l.dropped(fixed(func(b []byte) { b[0] = 4<<4 | 15 }), &l.v4.stats.DropHeaderLen)
	l.dropped(fixed(func(b []byte) { b[3] = 19 }), &l.v4.stats.DropTotalLen)
	l.dropped(fixed(func(b []byte) { b[3] = 41 }), &l.v4.stats.DropTotalLen)
	b := good()
	b[11]++
	l.dropped(b, &l.v4.stats.DropChecksum)
}

func TestCutsLinkPadding(t *testing.T) { // IP-003, LINK-003: the datagram ends where Total Length says
	l := newLab(t, config{})
	l.recv(append(dgram(unicast(), []byte("hello")), make([]byte, 21)...))
	require.Equal(t, []byte("hello"), l.up.take()[0].payload)
}

func TestDestinationsOfOthers(t *testing.T) { // IP-005, IP-041
	l := newLab(t, config{})
	h := unicast()
	h.Dst = farAddr
	l.dropped(dgram(h, pattern(8)), &l.v4.stats.DropNotLocal)
}

func TestBadSources(t *testing.T) { // IP-006, SEC-016
	l := newLab(t, config{})
	for _, src := range []string{"255.255.255.255", "224.1.1.1", "240.0.0.1", "0.0.0.0", "0.1.2.3", "10.0.0.255", "10.0.0.2"} {
		h := unicast()
		h.Src = addr(src)
		l.dropped(dgram(h, pattern(8)), &l.v4.stats.DropSource)
	}
	h := unicast() // a host that requests an address
	h.Src, h.Dst = addr("0.0.0.0"), addr("255.255.255.255")
	l.recv(dgram(h, pattern(8)))
	require.Len(t, l.up.take(), 1)
}

func TestLoopbackStaysInside(t *testing.T) { // IP-007
	l := newLab(t, config{})
	lo := newWire(65535, packet.Features{})
	inside, err := l.AddLoopback("lo", lo)
	require.NoError(t, err)
	for _, a := range [][2]string{{"127.0.0.1", "10.0.0.2"}, {"10.0.0.1", "127.0.0.1"}, {"10.0.0.1", "127.9.9.9"}} {
		h := unicast()
		h.Src, h.Dst = addr(a[0]), addr(a[1])
		l.dropped(dgram(h, pattern(8)), &l.v4.stats.DropLoopback)
		l.recvOn(inside, dgram(h, pattern(8)), packet.Unicast)
		require.Len(t, l.up.take(), 1, a)
	}
	for _, dst := range []string{"127.0.0.1", "127.1.2.3", "10.0.0.2"} {
		out, err := l.send(addr(dst), Header{}, 8)
		require.NoError(t, err)
		require.Empty(t, out, "not to the wire")
		require.Len(t, lo.take(), 1)
	}
	_, err = l.Route(farAddr, addr("127.0.0.1"))
	require.Error(t, err)
}

func TestTTLBelowTwoIsAccepted(t *testing.T) { // IP-010
	l := newLab(t, config{})
	for _, ttl := range []uint8{0, 1} {
		h := unicast()
		h.TTL = ttl
		l.recv(dgram(h, pattern(8)))
		require.Len(t, l.up.take(), 1)
	}
}

func TestBroadcasts(t *testing.T) { // IP-029, IP-030
	l := newLab(t, config{})
	for _, dst := range []string{"255.255.255.255", "10.0.0.255"} {
		h := unicast()
		h.Dst = addr(dst)
		l.recvAs(dgram(h, pattern(8)), packet.Broadcast)
		in := l.up.take()
		require.Len(t, in, 1)
		require.Equal(t, packet.Broadcast, in[0].h.Cast)
		require.Equal(t, packet.Broadcast, l.CastOf(addr(dst)))
	}
	h := unicast()
	h.Dst = addr("10.0.1.255") // another network's
	l.recvAs(dgram(h, pattern(8)), packet.Broadcast)
	l.recvAs(dgram(unicast(), pattern(8)), packet.Broadcast)
	require.Empty(t, l.up.take())
	require.Equal(t, uint64(2), l.v4.stats.DropLinkBroadcast.Value())
}

func TestPointToPointNetworkHasNoBroadcast(t *testing.T) { // RFC 3021
	l := newLab(t, config{})
	l.add("ptp", "172.16.0.0/31", 1500)
	require.Equal(t, packet.Unicast, l.CastOf(addr("172.16.0.1")))
	require.True(t, l.IsLocal(addr("172.16.0.0")))
}

func TestMulticastMembership(t *testing.T) { // IP-031
	l := newLab(t, config{})
	to := func(group string) []byte {
		h := unicast()
		h.Dst = addr(group)
		return dgram(h, pattern(8))
	}
	group := addr("239.1.2.3")
	l.recvAs(to("224.0.0.1"), packet.Multicast)
	require.Len(t, l.up.take(), 1)
	l.dropped(to("239.1.2.3"), &l.v4.stats.DropNotJoined)

	first, err := l.eth0.Join(group, membership.All)
	require.NoError(t, err)
	second, err := l.eth0.Join(group, membership.All)
	require.NoError(t, err)
	l.recvAs(to("239.1.2.3"), packet.Multicast)
	require.Equal(t, packet.Multicast, l.up.take()[0].h.Cast)

	first.Leave()
	require.True(t, l.eth0.Joined(group), "one member is left")
	second.Leave()
	l.dropped(to("239.1.2.3"), &l.v4.stats.DropNotJoined)

	_, err = l.eth0.Join(peerAddr, membership.All)
	require.Equal(t, syscall.EINVAL, err, "no group")
	require.Equal(t, l.eth0, l.GroupInterface(group, ownAddr))
	require.Nil(t, l.GroupInterface(group, farAddr), "no such interface")

	out, err := l.send(group, Header{}, 8)
	require.NoError(t, err)
	require.Equal(t, packet.Multicast, out[0].Cast)
	require.Equal(t, group, out[0].NextHop)
	require.Equal(t, uint8(1), out[0].h.TTL, "RFC 1112 section 6.1")
}

func TestUnsupportedProtocol(t *testing.T) { // ICMP-009
	l := newLab(t, config{})
	h := unicast()
	h.Protocol = 199
	b := dgram(h, pattern(8))
	l.recv(b)
	require.Equal(t, b, l.up.about[0])
	require.Equal(t, []ip.Error{{Kind: ip.ProtocolUnreachable}}, l.up.takeReports())

	var seen tap
	remove := l.AddTap(199, &seen)
	l.recv(b)
	require.Empty(t, l.up.takeReports(), "a raw socket takes it")
	require.Equal(t, [][]byte{b}, seen.datagrams)
	remove()
	l.recv(b)
	require.Len(t, l.up.takeReports(), 1)
	require.Len(t, seen.datagrams, 1)
}

// tap records its datagrams.
type tap struct{ datagrams [][]byte }

func (t *tap) HandleError(time.Duration, *ip.Error, []byte) {}

func (t *tap) Tap(_ time.Duration, _ *ip.Datagram, p *packet.Buffer) {
	t.datagrams = append(t.datagrams, append([]byte(nil), p.Bytes()...))
}

func TestTapSeesBeforeTheTransport(t *testing.T) {
	l := newLab(t, config{})
	var seen tap
	defer l.AddTap(testProtocol, &seen)()
	b := dgram(unicast(), pattern(8))
	l.recv(b)
	require.Len(t, l.up.take(), 1)
	require.Equal(t, [][]byte{b}, seen.datagrams)
}

func TestUnreachableNextHopIsReportedToTheSender(t *testing.T) { // RFC 1122 section 2.3.2.2
	l := newLab(t, config{})
	h := unicast()
	h.Src, h.Dst = ownAddr, peerAddr
	b := dgram(h, pattern(20))
	l.eth0.Unreachable(l.now, packet.From(b))
	require.Equal(t, b, l.up.about[0])
	require.Equal(t, []ip.Error{{Kind: ip.HostUnreachable}}, l.up.takeReports())

	l.eth0.Unreachable(l.now, packet.From([]byte{4 << 4}))
	require.Empty(t, l.up.takeReports(), "no datagram")
}

func TestNeighborAddresses(t *testing.T) { // SEC-017
	l := newLab(t, config{})
	for a, want := range map[string]bool{
		"10.0.0.1": true, "192.0.2.9": true, "10.0.0.255": false, "0.0.0.0": false, "0.1.2.3": false, "127.0.0.1": false,
		"224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "fe80::1": false,
	} {
		require.Equal(t, want, l.eth0.IsHost(addr(a)), a)
	}
}
