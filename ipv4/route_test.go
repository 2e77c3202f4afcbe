package ipv4

import (
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/ip/membership"
)

func (l *lab) nextHop(dst string) string {
	r, err := l.Route(addr(dst), netip.Addr{})
	if err != nil {
		return err.Error()
	}
	return r.Interface().Name() + " " + r.Path().NextHop.String()
}

func TestLongestPrefixWins(t *testing.T) { // IP-026, IP-027
	l := newLab(t, config{})
	l.add("eth1", "10.1.0.2/16", 1500)
	require.Equal(t, "eth0 10.0.0.77", l.nextHop("10.0.0.77"), "on link without any gateway")
	require.Equal(t, syscall.ENETUNREACH.Error(), l.nextHop("192.0.2.9"))

	l.route("0.0.0.0/0", "10.0.0.1", 10)
	l.route("0.0.0.0/0", "10.1.0.1", 5)
	l.route("192.0.0.0/8", "10.0.0.3", 0)
	l.route("192.0.2.0/24", "10.1.0.4", 0)
	l.route("192.0.2.9/32", "10.0.0.5", 0)
	for dst, want := range map[string]string{
		"8.8.8.8":   "eth1 10.1.0.1",
		"192.9.9.9": "eth0 10.0.0.3",
		"192.0.2.1": "eth1 10.1.0.4",
		"192.0.2.9": "eth0 10.0.0.5",
		"10.1.9.9":  "eth1 10.1.9.9",
	} {
		require.Equal(t, want, l.nextHop(dst), dst)
	}
}

func TestRouteTableErrors(t *testing.T) {
	l := newLab(t, config{})
	add := func(p, gateway, out string) error {
		e := ip.RouteEntry{Prefix: prefix(p), Interface: out}
		if gateway != "" {
			e.Gateway = addr(gateway)
		}
		return l.AddRoute(e)
	}
	require.NoError(t, add("0.0.0.0/0", "10.0.0.1", ""))
	require.Equal(t, syscall.EEXIST, add("0.0.0.0/0", "10.0.0.1", "eth0"))
	require.Equal(t, syscall.ENETUNREACH, add("1.0.0.0/8", "10.9.9.9", ""))
	require.Equal(t, syscall.ENETUNREACH, add("1.0.0.0/8", "10.0.0.2", ""), "the stack's own address cannot be a gateway")
	require.Equal(t, syscall.ENODEV, add("1.0.0.0/8", "", "eth7"))
	require.Equal(t, syscall.ENODEV, add("1.0.0.0/8", "10.0.0.1", "eth7"))
	require.Equal(t, syscall.EINVAL, l.AddRoute(ip.RouteEntry{}))
	require.Equal(t, syscall.EINVAL, l.AddRoute(ip.RouteEntry{Prefix: prefix("::/0"), Interface: "eth0"}))
	require.NoError(t, add("1.0.0.0/8", "", "eth0"))
	require.Len(t, l.Routes(), 3)
	require.Equal(t, ip.RouteEntry{Prefix: prefix("0.0.0.0/0"), Gateway: peerAddr, Interface: "eth0"}, l.Routes()[2])

	require.NoError(t, l.DelRoute(ip.RouteEntry{Prefix: prefix("1.0.0.0/8")}))
	require.Equal(t, syscall.ESRCH, l.DelRoute(ip.RouteEntry{Prefix: prefix("1.0.0.0/8")}))
	require.Equal(t, syscall.ESRCH, l.DelRoute(ip.RouteEntry{Prefix: prefix("0.0.0.0/0"), Gateway: farAddr}))
	require.Equal(t, syscall.ESRCH, l.DelRoute(ip.RouteEntry{}))

	_, err := l.AddInterface("eth0", null{})
	require.Equal(t, syscall.EEXIST, err)
	_, err = l.AddInterface("tiny", newWire(67, packet.Features{}))
	require.Equal(t, syscall.EINVAL, err)
	require.Equal(t, syscall.EEXIST, l.eth0.AddAddress(prefix("10.0.0.2/8")))
	for _, bad := range []string{"0.0.0.0/8", "224.0.0.1/4", "255.255.255.255/32", "::1/128"} {
		require.Equal(t, syscall.EINVAL, l.eth0.AddAddress(prefix(bad)))
	}
}

func TestSourceSelection(t *testing.T) { // IP-008, IP-035
	l := newLab(t, config{})
	require.NoError(t, l.eth0.AddAddress(prefix("10.0.0.3/24")))
	require.NoError(t, l.eth0.AddAddress(prefix("172.16.0.2/16")))
	l.add("eth1", "10.1.0.2/24", 1500)
	l.route("0.0.0.0/0", "172.16.0.1", 0)
	require.NoError(t, l.AddRoute(ip.RouteEntry{Prefix: prefix("198.51.100.0/24"), Gateway: peerAddr, Source: addr("10.0.0.3")}))
	src := func(dst, src string) string {
		want := netip.Addr{}
		if src != "" {
			want = addr(src)
		}
		r, err := l.Route(addr(dst), want)
		if err != nil {
			return err.Error()
		}
		return r.Src.String()
	}
	require.Equal(t, "10.0.0.2", src("10.0.0.9", ""))
	require.Equal(t, "10.0.0.2", src("10.0.0.9", "0.0.0.0"))
	require.Equal(t, "10.1.0.2", src("10.1.0.9", ""))
	require.Equal(t, "172.16.0.2", src("192.0.2.9", ""), "of the gateway's network")
	require.Equal(t, "10.0.0.3", src("198.51.100.1", ""), "the route's preference")
	require.Equal(t, "10.0.0.3", src("10.0.0.9", "10.0.0.3"), "the caller's choice")
	require.Equal(t, "10.1.0.2", src("10.0.0.9", "10.1.0.2"), "weak host: any own address by any interface")
	require.Equal(t, syscall.ENETUNREACH.Error(), src("10.0.0.9", "10.0.0.99"), "as Linux")
	for _, dst := range []string{"240.0.0.1", "::1", "0.1.2.3"} {
		require.Equal(t, syscall.EINVAL.Error(), src(dst, ""))
	}
	require.Equal(t, "10.0.0.2", src("::ffff:10.0.0.9", ""))
}

func TestHostWithoutAddress(t *testing.T) { // IP-008: 0.0.0.0 only while it learns its address
	s := ip.New(ip.Config{Timers: new(timer.Queue)})
	New(s, Config{})
	w := newWire(1500, packet.Features{})
	_, err := s.AddInterface("eth0", w)
	require.NoError(t, err)
	require.NoError(t, s.AddRoute(ip.RouteEntry{Prefix: prefix("0.0.0.0/0"), Interface: "eth0"}))
	r, err := s.Route(addr("255.255.255.255"), netip.Addr{})
	require.NoError(t, err)
	require.NoError(t, s.Send(0, r, ip.Outgoing{Protocol: 17}, packet.From(pattern(8))))
	out := w.take()[0]
	require.True(t, out.h.Src.IsUnspecified())
	require.Equal(t, packet.Broadcast, out.Cast)
	_, err = s.Route(peerAddr, netip.Addr{})
	require.Equal(t, syscall.EADDRNOTAVAIL, err)
}

func TestGroupInterfaceIsChosenBySource(t *testing.T) { // IP-031
	l := newLab(t, config{})
	_, w := l.add("eth1", "10.1.0.2/24", 1500)
	for _, dst := range []string{"239.1.1.1", "255.255.255.255"} {
		r, err := l.Route(addr(dst), addr("10.1.0.2"))
		require.NoError(t, err)
		require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, packet.From(pattern(8))))
		require.Len(t, w.take(), 1)
		require.Empty(t, l.wire0.take())
	}
}

func TestRoutesFollowTheTable(t *testing.T) { // a Route that is held sees changes at its next use
	l := newLab(t, config{})
	_, w := l.add("eth1", "10.1.0.2/24", 9000)
	l.route("0.0.0.0/0", "10.0.0.1", 10)
	r, err := l.Route(farAddr, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, 1500, r.MTU())
	require.Equal(t, "eth0", r.Interface().Name())

	l.route("0.0.0.0/0", "10.1.0.1", 1)
	require.Equal(t, 9000, r.MTU())
	require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, packet.From(pattern(8))))
	out := w.take()
	require.Equal(t, addr("10.1.0.1"), out[0].NextHop)
	require.Equal(t, ownAddr, out[0].h.Src, "the source stays")

	require.NoError(t, l.DelRoute(ip.RouteEntry{Prefix: prefix("0.0.0.0/0")}))
	require.Equal(t, syscall.ENETUNREACH, l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, packet.From(pattern(8))))
	require.Zero(t, r.MTU())
	require.Nil(t, r.Interface())
	require.Equal(t, packet.Features{}, r.Features())
	_, err = l.Route(farAddr, netip.Addr{})
	require.Equal(t, syscall.ENETUNREACH, err, "a Route that a holder has refreshed is not returned again")
}

func TestInterfaceListing(t *testing.T) {
	l := newLab(t, config{})
	_, err := l.eth0.Join(addr("239.1.2.3"), membership.All)
	require.NoError(t, err)
	_, err = l.send(peerAddr, Header{}, 80)
	require.NoError(t, err)
	l.recv(dgram(unicast(), pattern(30)))
	require.Equal(t, []ip.InterfaceInfo{{
		Name: "eth0", Addresses: []ip.AddressInfo{{Prefix: prefix("10.0.0.2/24"), Preferred: ip.Forever, Valid: ip.Forever}}, MTU: 1500,
		Groups: []ip.GroupInfo{
			{Group: allHosts, Members: 1, Exclude: true, Sources: []netip.Addr{}},
			{Group: addr("239.1.2.3"), Members: 1, Exclude: true, Sources: []netip.Addr{}},
		},
		InPackets: 1, InBytes: 50, OutPackets: 1, OutBytes: 100,
	}}, l.Interfaces(l.now))
	require.Equal(t, 1500, l.eth0.MTU())
}

func TestConcurrentUse(t *testing.T) { // several device queues, senders and an administrator at once; for the race detector
	l := newLab(t, config{})
	l.Register(testProtocol, sink{})
	i, err := l.AddInterface("null", null{})
	require.NoError(t, err)
	require.NoError(t, i.AddAddress(prefix("10.7.0.2/24")))
	r, err := l.Route(addr("10.7.0.1"), netip.Addr{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for k := range 200 {
				h := unicast()
				h.ID, h.MF, h.Offset = uint16(k), n%2 == 0, uint16(n)*16
				i.Input(l.now, packet.From(dgram(h, pattern(16))))
				_ = l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, packet.From(pattern(8)))
				_, _ = l.Route(addr("10.7.0.1"), netip.Addr{})
			}
		})
	}
	for range 50 {
		_ = l.AddRoute(ip.RouteEntry{Prefix: prefix("1.0.0.0/8"), Interface: "null"})
		l.UpdatePMTU(l.now, &ip.Error{Kind: ip.TooBig, MTU: 1400, Quoted: ip.Datagram{Src: ownAddr, Dst: addr("10.7.0.1")}})
		_ = l.DelRoute(ip.RouteEntry{Prefix: prefix("1.0.0.0/8")})
	}
	wg.Wait()
	require.Equal(t, 1400, r.MTU())
}
