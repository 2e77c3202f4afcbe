package icmp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

// ndLink is an ip.Discoverer, and an ip.RouterListener.
type ndLink struct {
	*wiretest.Wire
	types []uint8
	from  []netip.Addr
	last  *nd.RouterAdvertisement

	redirects []redirected
}

// redirected is a Redirect that ip has accepted.
type redirected struct {
	target  netip.Addr
	address nd.LinkLayer
	router  bool
}

func (l *ndLink) Discover(_ time.Duration, m *nd.Message) { l.types = append(l.types, m.Type()) }
func (l *ndLink) Redirected(_ time.Duration, target netip.Addr, a nd.LinkLayer, router bool) {
	l.redirects = append(l.redirects, redirected{target, a, router})
}
func (l *ndLink) LinkLayerOf(netip.Addr) nd.LinkLayer { return nd.LinkLayer{2, 0, 0, 0, 0, 9} }
func (l *ndLink) Confirm(time.Duration, netip.Addr)   {}
func (l *ndLink) SetNeighborTimes(_, _ time.Duration) {}
func (l *ndLink) NotRouter(time.Duration, netip.Addr) {}
func (l *ndLink) AddressRemoved()                     {}
func (l *ndLink) Input(_ time.Duration, from netip.Addr, a *nd.RouterAdvertisement) {
	l.from, l.last = append(l.from, from), a
}

// newNDLab returns a lab whose interface eth1 has the link.
func newNDLab(t *testing.T, shared ip.Config) (*lab6, *ip.Interface, *ndLink) {
	l, wire := newLab6(t, shared, Config{}), &ndLink{Wire: wiretest.New(1500, packet.Features{})}
	eth1, err := l.ip.AddInterface("eth1", wire)
	require.NoError(t, err)
	eth1.SetRouterListener(wire)
	require.NoError(t, eth1.AddAddress(netip.MustParsePrefix("fe80::5/64")))
	return l, eth1, wire
}

var (
	gateway6 = netip.MustParseAddr("fe80::1")
	eth1LL   = netip.MustParseAddr("fe80::5")
)

// SEC-015: every message goes to the link that received it, and advertisements of routers to the listener.
func TestDiscoveryReachesTheLink(t *testing.T) {
	for _, router := range []bool{false, true} {
		l, eth1, link := newNDLab(t, ip.Config{Forwarding: router})
		for _, m := range []nd.Appender{
			&nd.RouterSolicitation{}, &nd.RouterAdvertisement{MTU: 1400}, &nd.NeighborSolicitation{Target: eth1LL},
			&nd.NeighborAdvertisement{Target: gateway6},
		} {
			eth1.Input(0, nd.New(gateway6, eth1LL, m))
		}
		require.Equal(t, []uint8{133, 134, 135, 136}, link.types)
		require.Empty(t, link.Take())
		require.Equal(t, []netip.Addr{gateway6}, link.from, "of a router, too: the listener decides")
		require.Equal(t, &nd.RouterAdvertisement{MTU: 1400}, link.last)
		eth1.SetRouterListener(nil)
		eth1.Input(0, nd.New(gateway6, eth1LL, &nd.RouterAdvertisement{}))
		require.Len(t, link.from, 1)
		l.recv(nd.New(gateway6, netip.MustParseAddr("fe80::2"), &nd.RouterAdvertisement{}).Bytes()) // on a link that does not discover
	}
}

// ND-004, ND-007: what the ICMPv6 and IPv6 layers know of a message reaches its check.
func TestInvalidDiscovery(t *testing.T) {
	solicitation := func() []byte {
		return nd.New(gateway6, eth1LL, &nd.NeighborSolicitation{Target: eth1LL}).Bytes()
	}
	_, eth1, link := newNDLab(t, ip.Config{})
	for name, change := range map[string]func(b []byte) []byte{
		"checksum":  func(b []byte) []byte { b[ipv6.HeaderLen+2]++; return b },
		"hop limit": func(b []byte) []byte { b[7]--; return b },
		"atomic fragment": func(b []byte) []byte {
			b = append(b[:ipv6.HeaderLen:ipv6.HeaderLen], append([]byte{b[6], 0, 0, 0, 0, 0, 0, 1}, b[ipv6.HeaderLen:]...)...)
			b[6] = 44
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)-ipv6.HeaderLen))
			return b
		},
	} {
		eth1.Input(0, packet.From(change(solicitation())))
		require.Empty(t, link.types, name)
	}
	for at := range 2 { // real fragments
		b := solicitation()
		body := b[ipv6.HeaderLen:]
		part := body[:16]
		offset := byte(1)
		if at == 1 {
			part, offset = body[16:], 16
		}
		f := append(b[:ipv6.HeaderLen:ipv6.HeaderLen], append([]byte{b[6], 0, 0, offset, 0, 0, 0, 9}, part...)...)
		f[6] = 44
		binary.BigEndian.PutUint16(f[4:], uint16(len(f)-ipv6.HeaderLen))
		eth1.Input(0, packet.From(f))
	}
	require.Empty(t, link.types)
	eth1.Input(0, packet.From(solicitation()))
	require.Len(t, link.types, 1)
}

// ND-037, ND-038: a Redirect counts from the first hop only, for one destination; the link learns the target after that.
func TestRedirect6(t *testing.T) { // ICMP6-003
	l, eth1, link := newNDLab(t, ip.Config{})
	require.NoError(t, l.ip.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("2a00::/16"), Gateway: gateway6, Interface: "eth1"}))
	better, mac := netip.MustParseAddr("fe80::7"), nd.LinkLayer{2, 0, 0, 0, 0, 7}
	far, group := far6, netip.MustParseAddr("ff0e::1")
	nextHop := func(dst netip.Addr) netip.Addr {
		r, err := l.ip.Route(dst, netip.Addr{})
		require.NoError(t, err)
		return r.Path().NextHop
	}
	redirect := func(in *ip.Interface, from, target, dst netip.Addr, quoted []byte) {
		in.Input(l.now, nd.New(from, eth1LL, &nd.Redirect{Target: target, Destination: dst, TargetAddress: mac, Redirected: quoted}))
	}
	for _, bad := range []struct {
		in                *ip.Interface
		from, target, dst netip.Addr
	}{
		{eth1, netip.MustParseAddr("fe80::9"), better, far},   // not the first hop
		{eth1, netip.MustParseAddr("2001:db8::9"), far, far},  // not link-local
		{l.eth0, gateway6, better, far},                       // by another interface
		{eth1, gateway6, gateway6, far},                       // nothing changes
		{eth1, gateway6, eth1LL, far},                         // we are the better first hop
		{eth1, gateway6, netip.MustParseAddr("2a00::5"), far}, // a global target
		{eth1, gateway6, better, group},
		{eth1, gateway6, better, netip.MustParseAddr("2001:db8::77")}, // on a link of ours: there is no first hop
	} {
		redirect(bad.in, bad.from, bad.target, bad.dst, nil)
		require.Empty(t, link.redirects, "%+v", bad)
		require.Equal(t, gateway6, nextHop(far))
	}
	redirect(eth1, gateway6, better, far, nil)
	require.Equal(t, []redirected{{better, mac, true}}, link.redirects)
	require.Equal(t, better, nextHop(far))
	require.Equal(t, gateway6, nextHop(netip.MustParseAddr("2a00::8")))
	neighbor := netip.MustParseAddr("2a00::8")
	redirect(eth1, gateway6, neighbor, neighbor, nil)
	require.Equal(t, redirected{neighbor, mac, false}, link.redirects[1])
	require.Equal(t, neighbor, nextHop(neighbor))
	eth1.Silent(l.now, neighbor)
	require.Equal(t, gateway6, nextHop(neighbor))
	l.timers.Advance(l.now + 11*time.Minute)
	require.Equal(t, gateway6, nextHop(far), "a Redirect ends")
}

// ND-037: the transport checks a Redirect that quotes a datagram.
func TestRedirectWithQuote6(t *testing.T) {
	l, eth1, _ := newNDLab(t, ip.Config{})
	require.NoError(t, l.ip.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("2a00::/16"), Gateway: gateway6, Interface: "eth1"}))
	better, other := netip.MustParseAddr("fe80::7"), netip.MustParseAddr("2a00::8")
	redirect := func(dst netip.Addr, quoted []byte) []ip.Error {
		eth1.Input(l.now, nd.New(gateway6, eth1LL, &nd.Redirect{Target: better, Destination: dst, Redirected: quoted}))
		advice := l.udp.advice
		l.udp.advice = nil
		return advice
	}
	advice := redirect(far6, fromUDP(far6, 20))
	require.Len(t, advice, 1)
	require.Equal(t, ip.Redirect, advice[0].Kind)
	require.Equal(t, [2]netip.Addr{gateway6.WithZone("eth1"), better.WithZone("eth1")}, [2]netip.Addr{advice[0].From, advice[0].Gateway})
	require.Equal(t, far6, advice[0].Quoted.Dst)
	for _, quoted := range [][]byte{fromUDP(far6, 20), fromUDP(other, 20)[:40], datagram6(far6, other, ip.ProtocolUDP, pattern(20))} {
		require.Empty(t, redirect(other, quoted))
	}
	require.Equal(t, uint64(3), l.stats.DropQuote.Value())
}

// ND-039, ND-028: a router that forwards back to the link of the sender tells it the better first hop, within 1280 bytes and at a limited rate; a
// host never does, and a router follows no Redirect itself.
func TestRedirectIsSent6(t *testing.T) {
	host, onLink := netip.MustParseAddr("2001:db8:5::9"), netip.MustParseAddr("2001:db8:5::77")
	for _, sends := range []bool{false, true} {
		l, eth1, link := newNDLab(t, ip.Config{Forwarding: true, SendRedirects: sends})
		require.NoError(t, eth1.AddAddress(netip.MustParsePrefix("2001:db8:5::5/64")))
		require.NoError(t, l.ip.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("2a00::/16"), Gateway: gateway6, Interface: "eth1"}))
		global := netip.MustParseAddr("2001:db8:5::1")
		require.NoError(t, l.ip.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("2b00::/16"), Gateway: global}))
		redirects := func(b []byte) (list []*nd.Message) {
			eth1.Input(l.now, packet.From(b))
			for _, d := range link.Take() {
				var h ipv6.Header
				require.True(t, h.Parse(d.Data))
				if h.Protocol == ip.ProtocolICMPv6 {
					require.LessOrEqual(t, len(d.Data), 1280)
					list = append(list, &nd.Message{Src: h.Src, Dst: h.Dst, HopLimit: h.TTL, Body: d.Data[h.HeaderLen:]})
				}
			}
			return list
		}
		b := datagram6(host, far6, ip.ProtocolUDP, pattern(1400))
		list := redirects(b)
		if !sends {
			require.Empty(t, list)
			continue
		}
		require.Len(t, list, 1)
		var c nd.Counters
		require.True(t, list[0].Valid(&c))
		require.Equal(t, [2]netip.Addr{eth1LL, host}, [2]netip.Addr{list[0].Src, list[0].Dst})
		r := list[0].Redirect()
		require.Equal(t, [2]netip.Addr{gateway6, far6}, [2]netip.Addr{r.Target, r.Destination})
		require.Equal(t, nd.LinkLayer{2, 0, 0, 0, 0, 9}, r.TargetAddress)
		require.Equal(t, b[:len(r.Redirected)], r.Redirected)
		require.Greater(t, len(r.Redirected), 1100)

		list = redirects(datagram6(host, onLink, ip.ProtocolUDP, pattern(21)))
		require.Len(t, list, 1)
		r = list[0].Redirect()
		require.Equal(t, [2]netip.Addr{onLink, onLink}, [2]netip.Addr{r.Target, r.Destination})
		require.Empty(t, redirects(datagram6(netip.MustParseAddr("2001:db8:6::9"), far6, ip.ProtocolUDP, pattern(21))), "the sender is behind a router")
		require.Empty(t, redirects(datagram6(host, netip.MustParseAddr("2b00::1"), ip.ProtocolUDP, pattern(21))), "the target has to be link-local")
		n := 0
		for range 100 {
			n += len(redirects(b))
		}
		require.Less(t, n, 10)

		eth1.Input(l.now, nd.New(gateway6, eth1LL, &nd.Redirect{Target: netip.MustParseAddr("fe80::7"), Destination: far6}))
		require.Empty(t, link.redirects)
	}
}
