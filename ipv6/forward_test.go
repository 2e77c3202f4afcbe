package ipv6

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// newRouter is a lab that forwards, with a second link to 2001:db8:9::/64.
func newRouter(t *testing.T, mtu int) (*lab, *wire) {
	l := newLab(t, config{Forwarding: true})
	_, wire1 := l.attach("eth1", mtu, packet.Features{}, "2001:db8:9::2/64", "fe80::2/64")
	return l, wire1
}

// transit is the header of a datagram for another host.
func transit() Header {
	h := unicast()
	h.Dst = farAddr
	return h
}

func TestForwarding(t *testing.T) { // IP6-013, IP6-033, IP6-035: nothing changes but the hop limit; IP6-012: unknown options pass; IP6-015
	l, wire1 := newRouter(t, 1500)
	h := transit()
	h.TOS, h.FlowLabel = 0xb9, 0x54321
	for _, chain := range [][]ext{nil, {destination(0x9e, 0)}, {hopByHop(0xde, 0), routingHeader(0, 1)}, {fragmentExt(1, 0, true)}} {
		b := dgram(h, pattern(80), chain...)
		l.recv(b)
		out := wire1.take(t)
		require.Len(t, out, 1)
		require.Equal(t, farAddr, out[0].NextHop)
		b[hopLimitField]--
		require.Equal(t, b, out[0].Data)
	}
	h.Protocol = NextNone
	l.recv(dgram(h, pattern(80)))
	require.Equal(t, pattern(80), wire1.take(t)[0].payload())
	require.Empty(t, l.up.takeReports())
}

func TestHopLimit(t *testing.T) { // IP6-059
	l, wire1 := newRouter(t, 1500)
	h := transit()
	for _, h.TTL = range []uint8{0, 1} {
		l.reported(dgram(h, pattern(8)), &l.v6.stats.DropHopLimit, ip.Error{Kind: ip.TTLExceeded})
	}
	h.TTL = 2
	l.recv(dgram(h, pattern(8)))
	require.Equal(t, uint8(1), wire1.take(t)[0].h.TTL)
}

func TestTransitIsNeverFragmented(t *testing.T) { // IP6-017, ICMP6-011
	l, wire1 := newRouter(t, 1280)
	l.reported(dgram(transit(), pattern(1460)), &l.v6.stats.DropTooBig, ip.Error{Kind: ip.TooBig, MTU: 1280})
	l.reported(dgram(transit(), pattern(1241)), &l.v6.stats.DropTooBig, ip.Error{Kind: ip.TooBig, MTU: 1280})
	l.recv(dgram(transit(), pattern(1240)))
	require.Len(t, wire1.take(t), 1)
}

func TestNoRoute(t *testing.T) { // ICMP6-010: code 0
	l, _ := newRouter(t, 1500)
	h := transit()
	h.Dst = addr("2001:db8:7::1")
	l.reported(dgram(h, pattern(8)), &l.v6.stats.DropNoRoute, ip.Error{Kind: ip.NetUnreachable})
}

func TestScopesInTransit(t *testing.T) { // IP6-038, IP6-039, IP6-040
	l, wire1 := newRouter(t, 1500)
	l.reported(dgram(between("fe80::1", farAddr.String()), pattern(8)), &l.v6.stats.DropScope, ip.Error{Kind: ip.BeyondScope})
	for _, h := range []Header{between("::", farAddr.String()), between(peerAddr.String(), "fe80::99")} {
		l.dropped(dgram(h, pattern(8)), &l.v6.stats.DropMartian)
	}
	l.dropped(dgram(between(peerAddr.String(), "::1"), pattern(8)), &l.v6.stats.DropLoopback)
	require.Empty(t, wire1.Take())
}

func TestPrivateAddressesAreGlobal(t *testing.T) { // IP6-044
	l, wire1 := newRouter(t, 1500)
	require.NoError(t, l.AddRoute(ip.RouteEntry{Prefix: prefix("fd00::/8"), Gateway: farAddr}))
	require.NoError(t, l.AddRoute(ip.RouteEntry{Prefix: prefix("fec0::/10"), Gateway: farAddr}))
	for _, pair := range [][2]string{{"fec0::1", "fd00::1"}, {"fd00::1", "fec0::1"}} {
		l.recv(dgram(between(pair[0], pair[1]), pattern(8)))
		out := wire1.take(t)
		require.Len(t, out, 1)
		require.Equal(t, farAddr, out[0].NextHop)
	}
}

func TestRouterAddresses(t *testing.T) { // IP6-037
	l, _ := newRouter(t, 1500)
	for _, dst := range []string{"2001:db8::", "2001:db8:9::", "ff02::2", "ff05::2"} {
		l.delivered(dgram(between("2001:db8::1", dst), pattern(8)), pattern(8))
	}
	_, err := l.Route(peerAddr, addr("2001:db8::"))
	require.Error(t, err, "an anycast address cannot be a source")
	l.dropped(dgram(between("2001:db8::", "2001:db8::2"), pattern(8)), &l.v6.stats.DropSource)
}
