package socketapi

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link"
	"tunstack/link/nd"
	"tunstack/tun"
)

// ether is a host on an Ethernet in virtual time, whose other stations are the test.
type ether struct {
	host
	t     *testing.T
	clk   VirtualClock
	far   tun.Queue
	alive map[netip.Addr]nd.LinkLayer // stations that answer solicitations
	sent  []frame6                    // by the host, since the last call of take
}

// frame6 is a frame with an IPv6 datagram.
type frame6 struct {
	to   nd.LinkLayer
	h    ipv6.Header
	body []byte
}

// typ is the ICMPv6 type; 0: it is another protocol.
func (f *frame6) typ() uint8 {
	if f.h.Protocol != ip.ProtocolICMPv6 {
		return 0
	}
	return f.body[0]
}

// message reads a message of neighbor discovery.
func (f *frame6) message() *nd.Message {
	return &nd.Message{Src: f.h.Src, Dst: f.h.Dst, HopLimit: f.h.TTL, Body: f.body}
}

var hostMAC = link.MAC{2, 0, 0, 0, 0, 0x77}

func newEther(t *testing.T, cfg Config) *ether {
	near, far := tun.Pipe(1500, tun.TAP, packet.Features{})
	e := &ether{t: t, far: far.Queues()[0], alive: map[netip.Addr]nd.LinkLayer{}}
	cfg.Clock = &e.clk
	cfg.Interfaces[0].Device, cfg.Interfaces[0].MAC = near, hostMAC
	e.host = newHost(t, cfg)
	return e
}

// pass lets time pass, in steps in which the stations answer.
func (e *ether) pass(d time.Duration) {
	const step = 10 * time.Millisecond
	for end := e.clk.Now() + d; ; {
		rest(min(e.clk.Now()+step, end), e.host)
		for e.answer() {
			rest(e.clk.Now(), e.host)
		}
		if e.clk.Now() >= end {
			return
		}
	}
}

// answer reads what the host has sent, and lets the stations answer.
func (e *ether) answer() (any bool) {
	for {
		p, err := e.far.TryRead()
		require.NoError(e.t, err)
		if p == nil {
			return any
		}
		b := slices.Clone(p.Bytes())
		p.Free()
		f := frame6{to: nd.LinkLayer(b[:6])}
		if binary.BigEndian.Uint16(b[12:]) != 0x86dd || !f.h.Parse(b[14:]) {
			continue
		}
		f.body = b[14+f.h.HeaderLen:]
		e.sent = append(e.sent, f)
		if f.typ() != nd.TypeNeighborSolicitation || f.h.Src.IsUnspecified() {
			continue
		}
		if target := f.message().NeighborSolicitation().Target; e.alive[target] != (nd.LinkLayer{}) {
			e.hears(target, f.h.Src, e.alive[target], &nd.NeighborAdvertisement{
				Target: target, TargetAddress: e.alive[target], Router: true, Solicited: true, Override: true,
			})
			any = true
		}
	}
}

// hears receives a message of neighbor discovery from a station.
func (e *ether) hears(src, dst netip.Addr, from nd.LinkLayer, m nd.Appender) {
	p := nd.New(src, dst, m)
	b := p.Prepend(14)
	copy(b, hostMAC[:])
	if a := dst.As16(); dst.IsMulticast() {
		copy(b, []byte{0x33, 0x33, a[12], a[13], a[14], a[15]})
	}
	copy(b[6:], from[:])
	binary.BigEndian.PutUint16(b[12:], 0x86dd)
	require.NoError(e.t, e.far.Write(p))
}

// take returns the frames sent since the last call.
func (e *ether) take() []frame6 {
	sent := e.sent
	e.sent = nil
	return sent
}

// udpTo lists the stations to which the host has sent datagrams of UDP since the last call of take.
func (e *ether) udpTo() (list []nd.LinkLayer) {
	for _, f := range e.take() {
		if f.h.Protocol == ip.ProtocolUDP {
			list = append(list, f.to)
		}
	}
	return list
}

// SLAAC-004: the host reports the solicited-node group of an address before it probes for the address, also without a wait.
func TestReportPrecedesProbe(t *testing.T) {
	for _, wait := range []time.Duration{0, -1} {
		e := newEther(t, Config{Interfaces: []Interface{{Addrs: []netip.Prefix{netip.PrefixFrom(addrB6, 64)}, ACD: link.ACD{ProbeWait: wait}}}})
		e.pass(5 * time.Second)
		sent := e.take()
		probed := map[netip.Addr]bool{}
		for i, f := range sent {
			if f.typ() != nd.TypeNeighborSolicitation {
				continue
			}
			require.True(t, f.h.Src.IsUnspecified())
			target := f.message().NeighborSolicitation().Target
			group := nd.SolicitedNode(target).As16()
			require.True(t, slices.ContainsFunc(sent[:i], func(f frame6) bool {
				const reportV2 = 143
				return f.typ() == reportV2 && strings.Contains(string(f.body), string(group[:]))
			}), "no report before the probe for %s", target)
			probed[target] = true
		}
		require.Len(t, probed, 2, "the link-local address, too")
	}
}

var (
	macA = nd.LinkLayer{2, 0, 0, 0, 0, 0xa}
	macB = nd.LinkLayer{2, 0, 0, 0, 0, 0xb}
)

// newRouted is a host that has learned netOld from routerA and its default routes from both, of which it prefers A.
func newRouted(t *testing.T) *ether {
	e := newEther(t, Config{Interfaces: []Interface{{Name: "eth0", Autoconf: Autoconf{Mode: AutoconfOn}}}})
	e.pass(3 * time.Second)
	a := advertised(netOld, 24*time.Hour, 24*time.Hour)
	a.Preference, a.Source = 1, macA
	e.hears(routerA, nd.AllNodes, macA, &a)
	e.hears(routerB, nd.AllNodes, macB, &nd.RouterAdvertisement{RouterLifetime: time.Hour, Source: macB})
	e.alive[routerA], e.alive[routerB] = macA, macB
	e.pass(3 * time.Second)
	e.take()
	return e
}

// ND-034, ND-022: when the first of two routers falls silent, what the host sends moves to the other as soon as the link knows it: no
// datagram has to fail first. It comes back with the router.
func TestRouterVanishes(t *testing.T) {
	e := newRouted(t)
	fd := e.socket6(SOCK_DGRAM, 0)
	require.NoError(t, e.Connect(fd, netip.AddrPortFrom(serverA, 9)))
	send := func(want nd.LinkLayer) {
		t.Helper()
		e.send(fd, "x")
		e.pass(0)
		require.Equal(t, []nd.LinkLayer{want}, e.udpTo())
	}
	for range 100 { // longer than a neighbour stays REACHABLE
		send(macA)
		e.pass(time.Second)
	}
	delete(e.alive, routerA)
	moved := time.Duration(0)
	for start := e.clk.Now(); moved == 0; e.pass(time.Second) {
		require.Less(t, e.clk.Now()-start, 2*time.Minute)
		e.send(fd, "x")
		e.pass(0)
		if to := e.udpTo(); to[0] == macB {
			moved = e.clk.Now() - start
		} else {
			require.Equal(t, []nd.LinkLayer{macA}, to)
		}
	}
	require.LessOrEqual(t, moved, (45+5+3+1)*time.Second)
	e.alive[routerA] = macA
	e.pass(time.Minute)
	send(macA)
}

// ND-037, ND-038, ND-001: only the current first hop redirects, and only then the cache learns the target.
func TestRedirectOnEthernet(t *testing.T) {
	e := newRouted(t)
	fd := e.socket6(SOCK_DGRAM, 0)
	require.NoError(t, e.Connect(fd, netip.AddrPortFrom(serverA, 9)))
	e.send(fd, "x")
	e.pass(0)
	sent := e.take()
	i := slices.IndexFunc(sent, func(f frame6) bool { return f.h.Protocol == ip.ProtocolUDP })
	require.Equal(t, macA, sent[i].to)
	quote := append(binary.BigEndian.AppendUint32(nil, 6<<28), 0, 0, ip.ProtocolUDP, 64)
	binary.BigEndian.PutUint16(quote[4:], uint16(len(sent[i].body)))
	quote = slices.Concat(quote, sent[i].h.Src.AsSlice(), sent[i].h.Dst.AsSlice(), sent[i].body)
	forged := slices.Clone(quote)
	forged[ipv6.HeaderLen]++

	routerC, macC := netip.MustParseAddr("fe80::c"), nd.LinkLayer{2, 0, 0, 0, 0, 0xc}
	e.alive[routerC] = macC
	redirect := func(from netip.Addr, target netip.Addr, quoted []byte) {
		e.hears(from, sent[i].h.Src, macA, &nd.Redirect{Target: target, Destination: serverA, TargetAddress: macC, Redirected: quoted})
		e.pass(0)
	}
	knows := func(a netip.Addr) bool {
		return slices.ContainsFunc(e.Neighbors(), func(n Neighbor) bool { return n.IP == a })
	}
	redirect(routerB, routerC, quote)
	redirect(serverA, routerC, nil)
	redirect(routerA, routerC, forged)
	require.False(t, knows(routerC))
	e.send(fd, "x")
	e.pass(0)
	require.Equal(t, []nd.LinkLayer{macA}, e.udpTo())

	redirect(routerA, routerC, quote)
	require.True(t, knows(routerC))
	e.send(fd, "x")
	e.pass(0)
	require.Equal(t, []nd.LinkLayer{macC}, e.udpTo())
	other := e.socket6(SOCK_DGRAM, 0)
	require.NoError(t, e.Connect(other, ap("[2001:db8:9::8]:9")))
	e.send(other, "x")
	e.pass(0)
	require.Equal(t, []nd.LinkLayer{macA}, e.udpTo(), "of this destination only")

	onLink := netip.MustParseAddr("2001:db8:9::8")
	e.hears(routerA, sent[i].h.Src, macA, &nd.Redirect{Target: onLink, Destination: onLink, TargetAddress: macB})
	e.pass(0)
	e.send(other, "x")
	e.pass(0)
	require.Equal(t, []nd.LinkLayer{macB}, e.udpTo(), "it is on the link")
	e.send(other, "x")
	e.pass(10 * time.Second) // nobody answers there
	e.take()
	e.send(other, "x")
	e.pass(0)
	require.Equal(t, []nd.LinkLayer{macA}, e.udpTo(), "a Redirect onto the link ends with the neighbour")
}

// ND-024: a connection that goes on asks nobody whether the router is there; datagrams do.
func TestConnectionsConfirmTheRouter(t *testing.T) {
	one, two := tun.Pipe(1500, tun.TAP, packet.Features{})
	var clk VirtualClock
	var log strings.Builder
	acd := link.ACD{ProbeNum: -1}
	a, b := tap6(t, &clk, one, addrA6, 1, acd, &log), tap6(t, &clk, two, addrB6, 2, acd, &log)
	rest(time.Second, a, b)
	listener := b.socket6(SOCK_STREAM, 0)
	require.NoError(t, b.Bind(listener, netip.AddrPortFrom(addrB6, 7)))
	require.NoError(t, b.Listen(listener, 1))
	client := a.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(t, syscall.EINPROGRESS, a.Connect(client, netip.AddrPortFrom(addrB6, 7)))
	rest(clk.Now()+time.Second, a, b)
	server, _, err := b.Accept(listener)
	require.NoError(t, err)
	asked := func() uint64 {
		const name = "nd.out.neighbor_solicitations"
		return stats.Count(name, a.links[1].ethernet.DiscoveryStats()) + stats.Count(name, b.links[1].ethernet.DiscoveryStats())
	}
	before := asked()
	for range 300 {
		a.send(client, "x")
		rest(clk.Now()+time.Second, a, b)
		b.receives(server, "x")
		b.send(server, "y")
		rest(clk.Now(), a, b)
		a.receives(client, "y")
	}
	require.Equal(t, before, asked())
	datagrams, port := a.socket6(SOCK_DGRAM, 0), b.socket6(SOCK_DGRAM, 0)
	require.NoError(t, b.Bind(port, netip.AddrPortFrom(addrB6, 9)))
	for range 300 {
		_, err := a.SendTo(datagrams, []byte("x"), 0, netip.AddrPortFrom(addrB6, 9))
		require.NoError(t, err)
		rest(clk.Now()+time.Second, a, b)
		b.receives(port, "x")
	}
	require.Greater(t, asked(), before)
}

// ND-011: a connection to a neighbour that does not answer fails after three seconds, and the error of a datagram comes as late.
func TestConnectToDeadNeighbor(t *testing.T) {
	e := newEther(t, Config{Interfaces: []Interface{{Addrs: []netip.Prefix{netip.PrefixFrom(addrB6, 64)}, ACD: link.ACD{ProbeNum: -1}}}})
	client, datagrams := e.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0), e.socket6(SOCK_DGRAM|SOCK_NONBLOCK, 0)
	e.set6(datagrams, IPV6_RECVERR, 1)
	require.Equal(t, syscall.EINPROGRESS, e.Connect(client, netip.AddrPortFrom(addrA6, 7)))
	require.NoError(t, e.Connect(datagrams, netip.AddrPortFrom(addrA6, 7)))
	e.send(datagrams, "x")
	e.pass(3*time.Second - time.Millisecond)
	require.Zero(t, e.soError(client))
	e.pass(time.Second)
	require.Equal(t, syscall.EHOSTUNREACH, e.soError(client))
	require.Equal(t, syscall.EHOSTUNREACH, e.soError(datagrams))
}

// tap6 is a host of an Ethernet with an IPv6 address, beside an IPv4 one of the last byte n.
func tap6(t *testing.T, clk *VirtualClock, d tun.Device, a netip.Addr, n byte, acd link.ACD, log *strings.Builder) host {
	cfg := Config{Clock: clk, Interfaces: []Interface{{Device: d, ACD: acd, Addrs: []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 24), netip.PrefixFrom(a, 64),
	}}}}
	h := newHost(t, cfg)
	h.log = slog.New(slog.NewTextHandler(log, nil))
	return h
}

// SLAAC-002, SLAAC-005, SLAAC-008: two hosts of an Ethernet with different addresses talk; one with the address of another does not get it.
func TestTwoHostsOnEthernet(t *testing.T) {
	for _, addrOfB := range []netip.Addr{addrB6, addrA6} {
		var clk VirtualClock
		var log strings.Builder
		one, two := tun.Pipe(1500, tun.TAP, packet.Features{})
		a := tap6(t, &clk, one, addrA6, 1, link.ACD{}, &log)
		rest(20*time.Second, a)
		b := tap6(t, &clk, two, addrOfB, 2, link.ACD{}, &log)
		fd := b.socket6(SOCK_DGRAM, 0)
		require.Equal(t, syscall.EADDRNOTAVAIL, b.Bind(fd, netip.AddrPortFrom(addrB6, 7)), "tentative")
		rest(clk.Now()+20*time.Second, a, b)
		if addrOfB == addrA6 {
			require.ErrorIs(t, b.Ready(t.Context()), syscall.EADDRINUSE)
			require.Len(t, b.Interfaces()[1].Addresses, 2, "IPv4's and the link-local one")
			continue
		}
		require.NoError(t, b.Ready(t.Context()))
		require.NoError(t, b.Bind(fd, netip.AddrPortFrom(addrB6, 7)))
		_, err := a.SendTo(a.socket6(SOCK_DGRAM, 0), []byte("x"), 0, netip.AddrPortFrom(addrB6, 7))
		require.NoError(t, err)
		rest(clk.Now(), a, b)
		b.receives(fd, "x")
	}
}

// A host that uses another's address is reported there, and the address stays.
func TestConflictOnEthernetIsLogged(t *testing.T) {
	var clk VirtualClock
	var log, quiet strings.Builder
	one, two := tun.Pipe(1500, tun.TAP, packet.Features{})
	a := tap6(t, &clk, one, addrA6, 1, link.ACD{ProbeNum: -1}, &log)
	b := tap6(t, &clk, two, addrA6, 2, link.ACD{ProbeNum: -1}, &quiet)
	rest(time.Second, a, b)
	require.Empty(t, log.String())
	fd := b.socket6(SOCK_DGRAM, 0)
	require.NoError(t, b.Bind(fd, netip.AddrPortFrom(addrA6, 0)))
	for _, i := range a.Interfaces()[1].Addresses {
		if ip.IsLinkLocal6(i.Prefix.Addr()) {
			_, err := b.SendTo(fd, []byte("x"), 0, netip.AddrPortFrom(i.Prefix.Addr().WithZone("pipe1"), 7)) // asks from addrA6
			require.NoError(t, err)
		}
	}
	rest(2*time.Second, a, b)
	require.Contains(t, log.String(), "address conflict")
	require.Contains(t, log.String(), addrA6.String())
	require.True(t, slices.ContainsFunc(a.Interfaces()[1].Addresses, func(i AddressInfo) bool { return i.Prefix.Addr() == addrA6 }))
}
