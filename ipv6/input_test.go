package ipv6

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/membership"
	"tunstack/link/nd"
)

func TestPayloadLength(t *testing.T) { // IP6-002: extension headers are part of it
	l := newLab(t, config{})
	for _, chain := range [][]ext{nil, {destination()}} {
		b := dgram(unicast(), pattern(5), chain...)
		l.delivered(append(b, 1, 2, 3), pattern(5))
		l.dropped(b[:len(b)-1], &l.v6.stats.DropPayloadLen)
	}
	l.dropped(dgram(unicast(), nil)[:39], &l.v6.stats.DropTruncated)
}

func TestOtherVersions(t *testing.T) {
	l := newLab(t, config{})
	b := dgram(unicast(), pattern(5))
	for _, version := range []byte{0, 4, 5, 7, 15} {
		b[0] = version << 4
		before := l.count("ip.drop.bad_version")
		l.recv(b)
		require.Equal(t, before+1, l.count("ip.drop.bad_version"))
	}
	require.Zero(t, l.v6.stats.InPackets.Value())
}

func TestHopLimitOfOwnDatagrams(t *testing.T) { // IP6-003
	l := newLab(t, config{})
	h := unicast()
	h.TTL = 0
	l.delivered(dgram(h, pattern(5)), pattern(5))
}

func TestHeaderGoesUp(t *testing.T) { // IP6-035: the traffic class can be read, ECN included
	l := newLab(t, config{})
	h := unicast()
	h.TOS, h.FlowLabel, h.TTL = 0xb9, 0x54321, 7
	l.recv(dgram(h, pattern(5)))
	in := l.up.take()
	require.Equal(t, [2]uint8{0xb9, 7}, [2]uint8{in[0].h.TOS, in[0].h.TTL})
	require.Equal(t, HeaderLen+5, in[0].h.TotalLen)
}

func TestDestinations(t *testing.T) { // IP6-041, IP6-060
	l := newLab(t, config{})
	for _, dst := range []string{"2001:db8::2", "fe80::2", "ff02::1", "ff02::1:ff00:2"} {
		l.delivered(dgram(between("2001:db8::1", dst), pattern(5)), pattern(5))
	}
	for dst, why := range map[string]interface{ Value() uint64 }{
		"2001:db8::3":    &l.v6.stats.DropNotLocal,
		"2001:db8::":     &l.v6.stats.DropNotLocal,
		"fe80::3":        &l.v6.stats.DropNotLocal,
		"ff02::1:ff00:3": &l.v6.stats.DropNotJoined,
		"ff02::2":        &l.v6.stats.DropNotJoined,
		"ff00::1":        &l.v6.stats.DropDestination,
	} {
		before := why.Value()
		l.recv(dgram(between("2001:db8::1", dst), pattern(5)))
		require.Equal(t, before+1, why.Value(), dst)
	}
	_, err := l.eth0.Join(addr("ff0e::9"), membership.All)
	require.NoError(t, err)
	l.delivered(dgram(between("2001:db8::1", "ff0e::9"), pattern(5)), pattern(5))
	require.Empty(t, l.up.takeReports())
}

func TestSources(t *testing.T) { // IP6-038: :: is no destination; IP6-039, IP6-041, IP6-043
	l := newLab(t, config{})
	l.delivered(dgram(between("::", "ff02::1"), pattern(5)), pattern(5))
	s := &l.v6.stats
	for _, c := range []struct {
		src, dst string
		why      interface{ Value() uint64 }
	}{
		{"ff02::1", "2001:db8::2", &s.DropSource},
		{"ff02::1", "ff02::1", &s.DropSource},
		{"2001:db8::2", "2001:db8::2", &s.DropSource},
		{"::ffff:10.0.0.1", "2001:db8::2", &s.DropSource},
		{"fe80:1::1", "2001:db8::2", &s.DropSource},
		{"2001:db8::1", "::ffff:10.0.0.1", &s.DropDestination},
		{"2001:db8::1", "::", &s.DropDestination},
		{"::1", "2001:db8::2", &s.DropLoopback},
		{"2001:db8::1", "::1", &s.DropLoopback},
		{"::1", "::1", &s.DropLoopback},
		{"2001:db8::1", "ff01::1", &s.DropLoopback},
	} {
		before := c.why.Value()
		l.recv(dgram(between(c.src, c.dst), pattern(5)))
		require.Equal(t, before+1, c.why.Value(), "%s > %s", c.src, c.dst)
	}
	require.Empty(t, l.up.take())
	require.Empty(t, l.up.takeReports())
}

func TestUnicastInMulticastFrame(t *testing.T) { // ICMP6-007: no error about it either
	l := newLab(t, config{})
	h := unicast()
	h.Protocol = 253
	l.recvOn(l.eth0, dgram(h, pattern(5)), packet.Multicast)
	require.Equal(t, uint64(1), l.v6.stats.DropLinkMulticast.Value())
	require.Empty(t, l.up.takeReports())
}

func TestLinkLocalAddressesHaveZones(t *testing.T) { // IP6-048: fe80::2 on two links is two addresses
	l := newLab(t, config{})
	eth1, _ := l.attach("eth1", 1500, packet.Features{}, "fe80::2/64", "2001:db8:1::2/64")
	b := dgram(between("fe80::1", "fe80::2"), pattern(5))
	for _, i := range []string{"eth0", "eth1"} {
		l.recvOn(l.InterfaceNamed(i), b, packet.Unicast)
		in := l.up.take()
		require.Len(t, in, 1)
		require.Equal(t, addr("fe80::1%"+i), in[0].h.Src)
		require.Equal(t, addr("fe80::2%"+i), in[0].h.Dst)
	}
	require.NoError(t, eth1.RemoveAddress(addr("fe80::2")))
	l.recvOn(eth1, b, packet.Unicast)
	require.Empty(t, l.up.take(), "eth0's is of another link")
	require.Equal(t, uint64(1), l.v6.stats.DropNotLocal.Value())
	l.recvOn(eth1, dgram(between("2001:db8:1::1", "2001:db8::2"), pattern(5)), packet.Unicast)
	require.Len(t, l.up.take(), 1, "IP6-061: global addresses follow the weak model")
}

// ND-003: the solicited-node group of an address, and on a router that of the anycast address of its network, lasts as long as an address needs it.
func TestSolicitedNodeGroups(t *testing.T) {
	for _, router := range []bool{false, true} {
		l := newLab(t, config{Forwarding: router}) // with 2001:db8::2 and fe80::2
		joined := func(last byte) bool {
			a := addr("ff02::1:ff00:0").As16()
			a[15] = last
			return l.eth0.Joined(netip.AddrFrom16(a))
		}
		require.Equal(t, [2]bool{router, true}, [2]bool{joined(0), joined(2)})
		require.NoError(t, l.eth0.AddAddress(prefix("2001:db8::3/64")))
		require.True(t, joined(3))
		require.NoError(t, l.eth0.RemoveAddress(addr("2001:db8::2")))
		require.Equal(t, [2]bool{router, true}, [2]bool{joined(0), joined(2)})
		require.NoError(t, l.eth0.RemoveAddress(addr("2001:db8::3")))
		require.NoError(t, l.eth0.RemoveAddress(addr("fe80::2")))
		require.Equal(t, [3]bool{}, [3]bool{joined(0), joined(2), joined(3)})
		require.True(t, l.eth0.Joined(addr("ff02::1")))
	}
}

// A host that uses an address of ours is seen by neighbor discovery: its solicitations and advertisements pass, and nothing else does.
func TestNeighborsWithOurAddress(t *testing.T) {
	l := newLab(t, config{})
	l.Register(ip.ProtocolICMPv6, l.up)
	h := between("2001:db8::2", "ff02::1")
	h.Protocol = ip.ProtocolICMPv6
	for typ := range 256 {
		b := append([]byte{byte(typ)}, pattern(23)...)
		if typ == nd.TypeNeighborSolicitation || typ == nd.TypeNeighborAdvertisement {
			l.recv(dgram(h, b))
			require.Len(t, l.up.take(), 1)
		} else {
			l.dropped(dgram(h, b), &l.v6.stats.DropSource)
		}
	}
	l.dropped(dgram(h, nil), &l.v6.stats.DropSource)
	l.dropped(dgram(h, []byte{nd.TypeNeighborSolicitation}, destination()), &l.v6.stats.DropSource)
}
