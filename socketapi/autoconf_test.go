package socketapi

import (
	"bytes"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

var (
	routerA = netip.MustParseAddr("fe80::a")
	routerB = netip.MustParseAddr("fe80::b")
	netOld  = netip.MustParsePrefix("2001:db8:1::/64")
	netNew  = netip.MustParsePrefix("2001:db8:2::/64")
	serverA = netip.MustParseAddr("2001:db8:9::9")
)

// outside is a host that configures itself from what the test says as the routers of its link, and a server behind them, in virtual time.
type outside struct {
	host   // configures itself
	server host
	t      *testing.T
	clk    VirtualClock
	sent   []ipv6.Header // by the host
}

func newOutside(t *testing.T, auto Autoconf) *outside {
	o := &outside{t: t}
	o.host = newHost(t, Config{Clock: &o.clk, Interfaces: []Interface{{
		Name: "eth0", Autoconf: auto,
		Output: func(_ time.Duration, d []byte) {
			var h ipv6.Header
			require.True(t, h.Parse(d))
			o.sent = append(o.sent, h)
			if h.Dst == serverA {
				require.NoError(t, o.server.Inject("net", bytes.Clone(d)))
			}
		},
	}}})
	o.server = newHost(t, Config{
		Clock: &o.clk,
		Interfaces: []Interface{{
			Name: "net", Addrs: []netip.Prefix{netip.PrefixFrom(serverA, 64)}, Autoconf: Autoconf{Mode: AutoconfOff},
			Output: func(_ time.Duration, d []byte) { require.NoError(t, o.Inject("eth0", bytes.Clone(d))) },
		}},
		Routes: []Route{{Prefix: netip.MustParsePrefix("::/0"), Interface: "net"}},
	})
	o.pass(2 * time.Second)
	return o
}

// pass lets time pass.
func (o *outside) pass(d time.Duration) { rest(o.clk.Now()+d, o.host, o.server) }

// hears receives an advertisement.
func (o *outside) hears(from netip.Addr, a nd.RouterAdvertisement) {
	p := nd.New(from, nd.AllNodes, &a)
	defer p.Free()
	require.NoError(o.t, o.Inject("eth0", p.Bytes()))
	o.pass(0)
}

// advertised is an advertisement of a default router for an hour, with a prefix.
func advertised(p netip.Prefix, preferred, valid time.Duration) nd.RouterAdvertisement {
	return nd.RouterAdvertisement{RouterLifetime: time.Hour, Prefixes: []nd.PrefixInformation{{
		Prefix: p, OnLink: true, Autonomous: true, Preferred: preferred, Valid: valid,
	}}}
}

// in is the host's only address in a prefix.
func (o *outside) in(p netip.Prefix) netip.Addr {
	o.t.Helper()
	list := slices.DeleteFunc(o.Interfaces()[1].Addresses, func(a AddressInfo) bool { return !p.Contains(a.Prefix.Addr()) })
	require.Len(o.t, list, 1)
	return list[0].Prefix.Addr()
}

// connect opens a connection from one host to a listener of another, and returns both ends.
func (o *outside) connect(from host, to host, at netip.Addr) (client, server int) {
	o.t.Helper()
	listener, err := to.Socket(AF_INET6, SOCK_STREAM, 0)
	require.NoError(o.t, err)
	require.NoError(o.t, to.Bind(listener, netip.AddrPortFrom(at, 0)))
	require.NoError(o.t, to.Listen(listener, 1))
	client, err = from.Socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.NoError(o.t, err)
	require.Equal(o.t, syscall.EINPROGRESS, from.Connect(client, to.name(listener)))
	o.pass(time.Second)
	server, _, err = to.Accept(listener)
	require.NoError(o.t, err)
	require.NoError(o.t, to.Close(listener))
	return client, server
}

// talks passes a text in each direction.
func (o *outside) talks(client, server int) {
	o.t.Helper()
	o.host.send(client, "question")
	o.pass(time.Second)
	o.server.receives(server, "question")
	o.server.send(server, "answer")
	o.pass(time.Second)
	o.host.receives(client, "answer")
}

// SLAAC-001, SLAAC-009, ND-026: from nothing to a connection, with one setting.
func TestAutoconf(t *testing.T) {
	o := newOutside(t, Autoconf{Mode: AutoconfOn})
	own := o.in(netip.MustParsePrefix("fe80::/64"))
	asked := slices.IndexFunc(o.sent, func(h ipv6.Header) bool { return h.Dst == nd.AllRouters && h.Src == own && h.TTL == 255 })
	require.GreaterOrEqual(t, asked, 0)
	var heard []AutoconfInfo
	stop := o.WatchAutoconf(func(i AutoconfInfo) { heard = append(heard, i) })
	a := advertised(netOld, time.Hour, 2*time.Hour)
	a.RDNSS = []nd.RDNSS{{Servers: []netip.Addr{netip.MustParseAddr("fe80::53")}, Lifetime: time.Hour}}
	a.DNSSL = []nd.DNSSL{{Domains: []string{"example.org"}, Lifetime: time.Hour}}
	a.CurHopLimit, a.Other = 77, true
	o.hears(routerA, a)
	want := AutoconfInfo{
		Interface: "eth0", Routers: []netip.Addr{routerA.WithZone("eth0")}, Servers: []netip.Addr{netip.MustParseAddr("fe80::53%eth0")},
		Search: []string{"example.org"}, Other: true,
	}
	want.Addresses = []netip.Prefix{netip.PrefixFrom(own, 64), netip.PrefixFrom(o.in(netOld), 64)}
	require.Equal(t, want, heard[len(heard)-1])
	require.Equal(t, []AutoconfInfo{want}, o.Autoconf())
	names := o.Resolver().Settings()
	require.Equal(t, []netip.AddrPort{ap("[fe80::53%eth0]:53")}, names.Servers)
	require.Equal(t, want.Search, names.Search)
	stop()
	before := len(heard)
	o.hears(routerB, nd.RouterAdvertisement{Managed: true})
	require.Len(t, heard, before)

	client, server := o.connect(o.host, o.server, serverA)
	require.Equal(t, o.in(netOld), o.name(client).Addr())
	require.True(t, slices.ContainsFunc(o.sent, func(h ipv6.Header) bool { return h.Dst == serverA && h.TTL == 77 }))
	o.talks(client, server)
	info := o.Interfaces()[1].Addresses
	require.True(t, info[len(info)-1].Dynamic)
}

// A connection goes on while its address is deprecated, new ones have the new address, and when the old one ends the connection
// ends as a connection does whose peer is gone: so it does in Linux.
func TestRenumberingWithOpenConnections(t *testing.T) { // SLAAC-012, SLAAC-014
	o := newOutside(t, Autoconf{Mode: AutoconfOn})
	o.hears(routerA, advertised(netOld, time.Hour, 3*time.Hour))
	client, server := o.connect(o.host, o.server, serverA)
	o.hears(routerB, advertised(netNew, 24*time.Hour, 24*time.Hour))
	o.hears(routerA, advertised(netOld, 0, 0))
	o.talks(client, server)
	second, other := o.connect(o.host, o.server, serverA)
	require.Equal(t, o.in(netOld), o.name(client).Addr())
	require.Equal(t, o.in(netNew), o.name(second).Addr())

	for range 3 {
		o.pass(30 * time.Minute)
		o.hears(routerB, advertised(netNew, 24*time.Hour, 24*time.Hour))
		o.talks(client, server)
	}
	o.pass(30 * time.Minute)
	o.hears(routerB, advertised(netNew, 24*time.Hour, 24*time.Hour))
	o.talks(second, other)
	o.host.send(client, "into the void")
	sent := len(o.sent)
	o.pass(20 * time.Minute)
	require.Equal(t, syscall.ETIMEDOUT, o.soError(client))
	for _, h := range o.sent[sent:] {
		require.False(t, netOld.Contains(h.Src))
	}
}

func TestConnectToDeprecatedAddress(t *testing.T) { // SLAAC-013
	o := newOutside(t, Autoconf{Mode: AutoconfOn})
	o.hears(routerA, advertised(netOld, 0, time.Hour))
	o.hears(routerA, advertised(netNew, time.Hour, time.Hour))
	server, client := o.connect(o.server, o.host, o.in(netOld))
	require.Equal(t, o.in(netOld), o.name(client).Addr())
	o.server.send(server, "hello")
	o.pass(time.Second)
	o.host.receives(client, "hello")
}

// ND-028, ND-029: only an advertisement of a router on the link changes something.
func TestAdvertisementsFromElsewhere(t *testing.T) { // ND-004
	o := newOutside(t, Autoconf{Mode: AutoconfOn})
	routes := o.Routes()
	for _, change := range []func(b []byte){
		func(b []byte) { b[7] = 254 },                                                              // hop limit
		func(b []byte) { a := serverA.As16(); copy(b[8:], a[:]) },                                  // a global source
		func(b []byte) { b[ipv6.HeaderLen+1] = 1 },                                                 // code
		func(b []byte) { b[ipv6.HeaderLen+2]++ },                                                   // checksum
		func(b []byte) { b[ipv6.HeaderLen] = nd.TypeRouterSolicitation },                           // not an advertisement
		func(b []byte) { a := o.in(netip.MustParsePrefix("fe80::/64")).As16(); copy(b[8:], a[:]) }, // our own address
	} {
		a := advertised(netOld, time.Hour, time.Hour)
		p := nd.New(routerA, nd.AllNodes, &a)
		b := p.Bytes()
		sum := b[ipv6.HeaderLen+2]
		change(b)
		if b[ipv6.HeaderLen+2] == sum {
			fixChecksum6(b)
		}
		require.NoError(t, o.Inject("eth0", b))
		p.Free()
		o.pass(time.Second)
		require.Equal(t, routes, o.Routes())
	}
	o.hears(routerA, advertised(netOld, time.Hour, time.Hour))
	require.NotEqual(t, routes, o.Routes())
}

// What an interface configures by itself depends on its mode, its link and its addresses.
func TestAutoconfModes(t *testing.T) {
	var cfg Config
	addresses := func(i Interface) []AddressInfo {
		i.Output = func(time.Duration, []byte) {}
		cfg.Clock, cfg.Interfaces = new(VirtualClock), []Interface{i}
		h := newHost(t, cfg)
		h.Advance(10 * time.Second)
		a := advertised(netOld, time.Hour, time.Hour)
		p := nd.New(routerA, nd.AllNodes, &a)
		defer p.Free()
		require.NoError(t, h.Inject("link0", p.Bytes()))
		h.Advance(20 * time.Second)
		return h.Interfaces()[1].Addresses
	}
	six := []netip.Prefix{netip.PrefixFrom(addrB6, 64)}
	both := append(six[:1:1], netip.MustParsePrefix("fe80::2/64"))
	require.Len(t, addresses(Interface{Addrs: []netip.Prefix{netip.PrefixFrom(addrB, 24)}}), 1, "no IPv6")
	require.Len(t, addresses(Interface{Addrs: six}), 2, "a link-local address")
	require.Len(t, addresses(Interface{Addrs: both}), 2)
	require.Len(t, addresses(Interface{Addrs: both, Autoconf: Autoconf{Mode: AutoconfOn}}), 3)
	require.Len(t, addresses(Interface{Addrs: six, Autoconf: Autoconf{Mode: AutoconfOff}}), 1)
	require.Len(t, addresses(Interface{Autoconf: Autoconf{Mode: AutoconfOn, Temporary: true}}), 3)
	require.Empty(t, addresses(Interface{MTU: 1279, Autoconf: Autoconf{Mode: AutoconfOn}}))

	cfg.IP.Forwarding = true
	require.Len(t, addresses(Interface{Addrs: six, Autoconf: Autoconf{Mode: AutoconfOn}}), 3, "a router can listen to another, if told to")

	_, err := New(Config{Interfaces: []Interface{{Output: func(time.Duration, []byte) {}, Autoconf: Autoconf{Secret: []byte("short")}}}})
	require.ErrorContains(t, err, "interface link0: the secret of stable addresses has 5 bytes; it needs 16")
}

// The first IPv6 address that a running stack gets brings the link-local one with it.
func TestLinkLocalWithTheFirstAddress(t *testing.T) { // SLAAC-001
	w := newWire(t)
	require.Len(t, w.Interfaces()[1].Addresses, 1)
	require.NoError(t, w.AddAddress(t.Context(), "link0", netip.PrefixFrom(addrB6, 64)))
	w.after(time.Second)
	list := w.Interfaces()[1].Addresses
	require.Len(t, list, 3)
	require.True(t, ip.IsLinkLocal6(list[2].Prefix.Addr()))
}

// fixChecksum6 computes the checksum of an ICMPv6 message in its datagram.
func fixChecksum6(b []byte) {
	body := b[ipv6.HeaderLen:]
	body[2], body[3] = 0, 0
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	checksum.Put(body[2:], ^checksum.Sum(body, checksum.Pseudo(src, dst, ip.ProtocolICMPv6, len(body))))
}
