package socketapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"tunstack/dns"
	"tunstack/internal/packet"
	"tunstack/tun"
)

// Queries leave over sockets of the stack, each from a port that cannot be predicted. DNS-006.
func TestPortsOfQueries(t *testing.T) {
	a, b := pair(t, nil)
	server := b.serveNames("10.0.0.2:53", "host. A 10.0.0.9")
	a.asks("10.0.0.2:53")
	for i := range 500 {
		_, err := a.Resolver().Query(t.Context(), fmt.Sprintf("h%d.", i), dnsmessage.TypeA)
		require.ErrorIs(t, err, dns.ErrNoName)
	}
	ports, steps := map[uint16]bool{}, map[uint16]int{}
	var last uint16
	for _, q := range server.asked {
		ports[q.from.Port()] = true
		steps[q.from.Port()-last]++
		last = q.from.Port()
	}
	require.Greater(t, len(ports), 450)
	for step, times := range steps {
		require.Less(t, times, 10, "step %d", step)
	}
	require.Empty(t, a.Stack.Sockets())
}

// An answer counts only if it comes from the address and the port that were asked. DNS-005, DNS-007.
func TestAnswersOfOthers(t *testing.T) {
	one, two := tun.Pipe(1500, tun.TUN, packet.Features{})
	cfg := device(two, addrB)
	cfg.Interfaces[0].Addrs = append(cfg.Interfaces[0].Addrs, netip.MustParsePrefix("10.0.0.3/24"))
	a, b := newHost(t, device(one, addrA)), newHost(t, cfg)
	var others []net.PacketConn
	for _, from := range []string{"10.0.0.2:5353", "10.0.0.3:53"} {
		p, err := b.Stack.ListenPacket("udp4", from)
		require.NoError(t, err)
		others = append(others, p)
	}
	server := b.serveNames("10.0.0.2:53", "host. A 10.0.0.9")
	server.forge = func(q question) {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
		server.records("host.", dnsmessage.TypeA, &m)
		m.Answers[0].Body = bodyOf("A", "10.6.6.6")
		b, err := m.Pack()
		require.NoError(t, err)
		for _, p := range others {
			_, err = p.WriteTo(b, net.UDPAddrFromAddrPort(q.from))
			require.NoError(t, err)
		}
	}
	a.asks("10.0.0.2:53")
	got, err := a.Resolver().LookupNetIP(t.Context(), "ip4", "host.")
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("10.0.0.9")}, got)
}

// The timeouts are those of the stack's clock, also of one that only a program moves.
func TestResolverInVirtualTime(t *testing.T) {
	clk := &VirtualClock{}
	a, b := pair(t, clk)
	silent, err := b.Stack.ListenPacket("udp", "10.0.0.2:53")
	require.NoError(t, err)
	defer silent.Close()
	a.asks("10.0.0.2:53")
	done := make(chan error, 1)
	go func() {
		_, err := a.Resolver().LookupHost(context.Background(), "host.")
		done <- err
	}()
	for {
		select {
		case err := <-done:
			require.EqualError(t, err, "lookup host.: 10.0.0.2: no answer within 5s, then no answer within 10s")
			return
		default:
			rest(clk.Now()+time.Millisecond, a, b)
		}
	}
}

// A lookup over TCP, where the answer is truncated over UDP, and by package net's resolver with our connections.
func TestPackageNetsResolver(t *testing.T) {
	a, b := pair(t, nil)
	server := b.serveNames("10.0.0.2:53", "host.test. A 10.0.0.9", "host.test. TXT text", "9.0.0.10.in-addr.arpa. PTR host.test.")
	server.truncate = true
	a.asks("10.0.0.2:53")
	theirs := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return a.DialContext(ctx, network, "10.0.0.2:53")
	}}
	for _, r := range []interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
		LookupTXT(ctx context.Context, name string) ([]string, error)
		LookupAddr(ctx context.Context, addr string) ([]string, error)
	}{theirs, a.Resolver()} {
		addrs, err := r.LookupNetIP(t.Context(), "ip4", "host.test")
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{netip.MustParseAddr("10.0.0.9")}, addrs)
		texts, err := r.LookupTXT(t.Context(), "host.test")
		require.NoError(t, err)
		require.Equal(t, []string{"text"}, texts)
		names, err := r.LookupAddr(t.Context(), "10.0.0.9")
		require.NoError(t, err)
		require.Equal(t, []string{"host.test."}, names)
		_, err = r.LookupTXT(t.Context(), "nobody.test")
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.True(t, e.IsNotFound)
	}
}

// Close ends the lookups.
func TestCloseEndsLookups(t *testing.T) {
	a, b := pair(t, nil)
	silent, err := b.Stack.ListenPacket("udp", "10.0.0.2:53")
	require.NoError(t, err)
	defer silent.Close()
	a.asks("10.0.0.2:53")
	done := make(chan error, 1)
	go func() {
		_, err := a.Stack.Dial("tcp", "host.:7")
		done <- err
	}()
	_, _, err = silent.ReadFrom(make([]byte, 1500))
	require.NoError(t, err)
	require.NoError(t, a.Stack.Close())
	require.ErrorIs(t, <-done, net.ErrClosed)
}

// Names work wherever an address does, and are asked for in the families that the stack has.
func TestNamesInCalls(t *testing.T) {
	a, b := pair(t, nil)
	server := b.serveNames("10.0.0.2:53", "own. A 10.0.0.1", "peer. A 10.0.0.2", "peer. AAAA 2001:db8::2")
	a.knowing("", "domain 53/udp\n").asks("10.0.0.2:53")
	l, err := a.Stack.Listen("tcp", "own.:7")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1:7", l.Addr().String())
	p, err := a.Stack.ListenPacket("udp", "own.:domain")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1:53", p.LocalAddr().String())
	udp, err := a.ResolveUDPAddr("udp", "peer.:domain")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.2:53", udp.String())
	tcp, err := a.ResolveTCPAddr("tcp", "peer.:7")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.2:7", tcp.String())
	for _, q := range server.queries() {
		require.NotContains(t, q, "AAAA")
	}
	tcp, err = a.ResolveTCPAddr("tcp6", "peer.:7")
	require.NoError(t, err)
	require.Equal(t, "[2001:db8::2]:7", tcp.String())
	_, err = a.ResolveTCPAddr("tcp", "nobody.:7")
	require.ErrorIs(t, err, dns.ErrNoName)
	_, err = a.ResolveUDPAddr("tcp", "peer.:7")
	require.Equal(t, net.UnknownNetworkError("tcp"), err)
	_, err = a.Stack.Dial("udp", "peer.:telnet")
	require.ErrorContains(t, err, "unknown port")
}

// The first of these sources that has any gives the servers, and the search list: the configuration, DHCP with the routers, the machine.
func TestSourcesOfServers(t *testing.T) {
	h := alone(t)
	servers := func(texts ...string) (list []netip.AddrPort) {
		for _, text := range texts {
			list = append(list, ap(text))
		}
		return list
	}
	in := func(want []netip.AddrPort, search ...string) {
		t.Helper()
		got := h.Resolver().Settings()
		require.Equal(t, want, got.Servers)
		require.Equal(t, search, got.Search)
	}
	h.SetNameServers(NameServers{NamesOwn, "", servers("127.0.0.1:53"), nil})
	in(servers("127.0.0.1:53"))
	h.SetNameServers(NameServers{NamesMachine, "", servers("10.0.0.1:53"), []string{"machine"}})
	in(servers("10.0.0.1:53"), "machine")
	h.SetNameServers(NameServers{NamesRouter, "eth0", servers("10.0.0.2:53", "10.0.0.3:53", "10.0.0.4:53", "10.0.0.5:53"), nil})
	h.SetNameServers(NameServers{NamesRouter, "eth1", servers("10.0.0.2:53", "10.0.0.6:53"), nil})
	in(servers("10.0.0.2:53", "10.0.0.3:53", "10.0.0.4:53", "10.0.0.6:53"), "machine")
	h.SetNameServers(NameServers{NamesDHCP, "eth0", servers("10.0.0.4:53"), []string{"lease", "a..b", "\x1b[1m", "lease"}})
	in(servers("10.0.0.4:53", "10.0.0.2:53", "10.0.0.3:53", "10.0.0.6:53"), "lease")
	h.SetNameServers(NameServers{NamesConfig, "", servers("10.0.0.9:5353"), nil})
	in(servers("10.0.0.9:5353"), "lease")
	var sources []NameSource
	for _, n := range h.NameServers() {
		sources = append(sources, n.Source)
	}
	require.Equal(t, []NameSource{NamesConfig, NamesDHCP, NamesRouter, NamesRouter, NamesMachine, NamesOwn}, sources)
	h.SetNameServers(NameServers{Source: NamesConfig})
	h.SetNameServers(NameServers{Source: NamesDHCP, Interface: "eth0"})
	h.SetNameServers(NameServers{Source: NamesRouter, Interface: "eth0"})
	in(servers("10.0.0.2:53", "10.0.0.6:53"), "machine")
	require.Len(t, h.NameServers(), 3)
}

// Config names servers, and options that hold for all servers.
func TestConfigOfResolver(t *testing.T) {
	h := newHost(t, Config{DNS: dns.Config{Settings: dns.Settings{
		Servers: []netip.AddrPort{netip.AddrPortFrom(addrB, 0)}, Search: []string{"test"}, Timeout: time.Second, Rotate: true,
	}}})
	got := h.Resolver().Settings()
	require.Equal(t, "[10.0.0.2:53] [test] 1s true", fmt.Sprint(got.Servers, got.Search, got.Timeout, got.Rotate))
	require.Equal(t, NamesConfig, h.NameServers()[0].Source)
	require.Contains(t, h.counters(), "dns.out.udp")
}

// Every outcome of a lookup has its error of getaddrinfo(3), that of glibc. DNS-034.
func TestErrorsOfGetAddrInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		server := b.serveNames("10.0.0.2:53", "text. TXT hello")
		gone := ap("10.0.0.2:99")
		for _, c := range []struct {
			servers []string
			code    dnsmessage.RCode
			node    string
			want    EAI
		}{
			{nil, 0, "host.", EAI_NONAME},
			{[]string{"10.0.0.2:53"}, 0, "host.", EAI_NONAME},
			{[]string{"10.0.0.2:53"}, 0, "text.", EAI_NODATA},
			{[]string{"10.0.0.2:53"}, 0, "a..b", EAI_NONAME},
			{[]string{"10.0.0.2:53"}, dnsmessage.RCodeServerFailure, "host.", EAI_AGAIN},
			{[]string{"10.0.0.2:53"}, dnsmessage.RCodeRefused, "host.", EAI_FAIL},
			{[]string{"10.0.0.2:53"}, dnsmessage.RCodeNotImplemented, "host.", EAI_FAIL},
			{[]string{gone.String()}, 0, "host.", EAI_AGAIN},
			{[]string{"10.0.0.77:53"}, 0, "host.", EAI_AGAIN},
		} {
			server.code = c.code
			a.asks(c.servers...)
			a.Resolver().Flush()
			_, err := a.GetAddrInfo(c.node, "7", nil)
			require.Equal(t, c.want, err, c)
			require.NotEmpty(t, err.Error())
		}
		_, _, err := a.GetNameInfo(ap("10.0.0.9:7"), 99, 99, 0)
		require.Equal(t, EAI_AGAIN, err)
	})
}

// getaddrinfo and getnameinfo ask DNS: the families and the canonical name.
func TestGetAddrInfoByDNS(t *testing.T) { // SOCK-053, SOCK6-023 to SOCK6-026
	a, b := dualPair(t)
	only4, peer4 := pair(t, nil)
	zone := []string{
		"both. A 10.0.0.2", "both. AAAA 2001:db8::2", "alias. CNAME both.", "four. A 10.0.0.2", "2.0.0.10.in-addr.arpa. PTR both.net.",
	}
	server := b.serveNames("10.0.0.2:53", zone...)
	server4 := peer4.serveNames("10.0.0.2:53", zone...)
	for _, h := range []host{a, only4} {
		h.asks("10.0.0.2:53")
	}
	for _, c := range []struct {
		on            host
		node          string
		family, flags int
		want          []string
		asked         string
	}{
		{a, "both.", AF_UNSPEC, 0, []string{"2001:db8::2", "10.0.0.2"}, "[udp both. A udp both. AAAA]"},
		{a, "both.", AF_INET, 0, []string{"10.0.0.2"}, "[udp both. A]"},
		{a, "both.", AF_INET6, 0, []string{"2001:db8::2"}, "[udp both. AAAA]"},
		{a, "both.", AF_INET6, AI_V4MAPPED | AI_ALL, []string{"2001:db8::2", "::ffff:10.0.0.2"}, "[udp both. A udp both. AAAA]"},
		{a, "four.", AF_INET6, AI_V4MAPPED, []string{"::ffff:10.0.0.2"}, "[udp four. A udp four. AAAA]"},
		{a, "both.", AF_INET6, AI_V4MAPPED, []string{"2001:db8::2"}, "[udp both. AAAA]"},
		{a, "alias.", AF_UNSPEC, AI_CANONNAME, []string{"2001:db8::2", "10.0.0.2"}, "[udp alias. A udp alias. AAAA]"},
		{only4, "both.", AF_UNSPEC, AI_ADDRCONFIG, []string{"10.0.0.2"}, "[udp both. A]"},
		{only4, "both.", AF_UNSPEC, 0, []string{"10.0.0.2", "2001:db8::2"}, "[udp both. A udp both. AAAA]"},
	} {
		c.on.Resolver().Flush()
		server.asked, server4.asked = nil, nil
		list, err := c.on.GetAddrInfo(c.node, "7", &AddrInfo{Family: c.family, Flags: c.flags, Socktype: SOCK_STREAM})
		require.NoError(t, err, c)
		var got []string
		for _, i := range list {
			got = append(got, i.Addr.Addr().String())
		}
		require.Equal(t, c.want, got, c)
		require.Equal(t, c.flags&AI_CANONNAME != 0, list[0].Canonname == "both", c)
		asked := slices.Sorted(slices.Values(append(server.queries(), server4.queries()...)))
		require.Equal(t, c.asked, fmt.Sprint(asked), c)
	}
	name, _, err := a.GetNameInfo(ap("10.0.0.2:7"), 99, 0, 0)
	require.NoError(t, err)
	require.Equal(t, "both.net", name)
}
