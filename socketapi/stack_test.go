package socketapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/link"
	"tunstack/tun"
	"tunstack/udp"
)

// injected is two stacks without devices, each of which injects its packets into the other.
func injected(t *testing.T, clk *VirtualClock) (a, b host) {
	cfg := func(addr netip.Addr, peer *host, mtu int) Config {
		return Config{Clock: clk, Interfaces: []Interface{{
			Addrs: []netip.Prefix{netip.PrefixFrom(addr, 24)}, MTU: mtu,
			Output: func(_ time.Duration, d []byte) { _ = peer.Inject("link0", d) },
		}}}
	}
	a = newHost(t, cfg(addrA, &b, 576))
	b = newHost(t, cfg(addrB, &a, 0))
	return a, b
}

func TestInject(t *testing.T) {
	var clk VirtualClock
	a, b := injected(t, &clk)
	server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	_, err := a.SendTo(client, make([]byte, 1000), 0, ap("10.0.0.2:7"))
	require.NoError(t, err)
	b.receives(server, string(make([]byte, 1000))) // it is there when SendTo returns
	require.Equal(t, syscall.ENODEV, a.Inject("lo", nil))
	require.Equal(t, syscall.ENODEV, a.Inject("link1", nil))
	require.NoError(t, a.Inject("link0", []byte("not IP")))
	require.NoError(t, a.Inject("link0", nil))
}

func TestAdvance(t *testing.T) {
	var clk VirtualClock
	a, b := pair(t, &clk)
	require.False(t, a.Advance(0))
	fd := a.socket(SOCK_DGRAM, 0)
	_, err := a.SendTo(fd, []byte("x"), 0, ap("10.0.0.2:7"))
	require.NoError(t, err)
	require.True(t, b.Advance(0), "the datagram, which b answers")
	require.True(t, a.Advance(0), "the port unreachable")
	require.False(t, b.Advance(time.Second))
	require.Equal(t, time.Second, clk.Now())

	// A blocked call ends when the clock is moved past its timeout.
	a.set(fd, SOL_SOCKET, SO_RCVTIMEO, NewTimeval(time.Minute))
	result := make(chan error)
	go func() {
		_, err := a.recv(fd, 10, 0)
		result <- err
	}()
	for at, ok := a.NextDeadline(); !ok || at != time.Second+time.Minute; at, ok = a.NextDeadline() {
		select {
		case err := <-result:
			t.Fatal("did not block:", err)
		case <-time.After(time.Millisecond):
		}
	}
	require.True(t, a.Advance(2*time.Minute))
	require.Equal(t, syscall.EAGAIN, <-result)
	require.Equal(t, 2*time.Minute, clk.Now())
}

func TestBadConfig(t *testing.T) {
	one, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	tap, _ := tun.Pipe(1500, tun.TAP, packet.Features{})
	prefix := netip.MustParsePrefix("10.0.0.1/24")
	for name, cfg := range map[string]Config{
		"neither device nor output": {Interfaces: []Interface{{}}},
		"both":                      {Interfaces: []Interface{{Device: one, Output: func(time.Duration, []byte) {}}}},
		"name used twice":           {Interfaces: []Interface{{Name: "lo", Device: one}}},
		"address used twice":        {Interfaces: []Interface{{Device: one, Addrs: []netip.Prefix{prefix, prefix}}}},
		"no address":                {Interfaces: []Interface{{Device: one, Addrs: []netip.Prefix{netip.MustParsePrefix("::1/64")}}}},
		"gateway elsewhere":         {Interfaces: []Interface{{Device: one, Addrs: []netip.Prefix{prefix}, Gateway: netip.MustParseAddr("10.9.9.9")}}},
		"route to nowhere":          {Routes: []Route{{Prefix: prefix, Interface: "eth0"}}},
		"group address":             {Interfaces: []Interface{{Device: tap, MAC: link.MAC{1}}}},
		"no randomness":             {Rand: iotest.ErrReader(errors.New("broken"))},
		"no ports":                  {UDP: udp.Config{PortLow: 60000, PortHigh: 50000}},
		"no version of IGMP":        {IPv4: ipv4.Config{IGMPVersion: 4}},
		"no version of MLD":         {IPv6: ipv6.Config{MLDVersion: 3}},
		"randomness ends":           {Rand: io.LimitReader(strings.NewReader(strings.Repeat("x", 8)), 8)},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, "socketapi: ", name)
	}
}

func TestTables(t *testing.T) {
	one, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	h := newHost(t, Config{
		Clock: new(VirtualClock),
		Interfaces: []Interface{{
			Name: "tun0", Device: one, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}, Gateway: addrA,
		}},
		Routes: []Route{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Interface: "tun0"}},
	})
	require.Len(t, h.Interfaces(), 2)
	require.Equal(t, "lo", h.Interfaces()[0].Name)
	require.Equal(t, "10.0.0.2/24", h.Interfaces()[1].Addresses[0].Prefix.String())
	var routes []string
	for _, r := range h.Routes() {
		routes = append(routes, r.Prefix.String()+" "+r.Gateway.String()+" "+r.Interface)
	}
	require.ElementsMatch(t, []string{
		"127.0.0.0/8 invalid IP lo", "10.0.0.0/24 invalid IP tun0", "192.0.2.0/24 invalid IP tun0", "0.0.0.0/0 10.0.0.1 tun0",
	}, routes)
	require.NoError(t, h.DelRoute(Route{Prefix: netip.MustParsePrefix("192.0.2.0/24")}))
	require.Equal(t, syscall.ESRCH, h.DelRoute(Route{Prefix: netip.MustParsePrefix("192.0.2.0/24")}))
	require.NoError(t, h.AddRoute(Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Gateway: addrA}))
	require.Empty(t, h.Neighbors())

	fd := h.bound(SOCK_DGRAM, "0.0.0.0:7")
	require.Equal(t, []SocketInfo{{Protocol: "udp", State: "UNCONN", Local: ap("0.0.0.0:7")}}, h.Sockets())
	_, err := h.SendTo(fd, []byte("x"), 0, ap("127.0.0.1:7"))
	require.NoError(t, err)
	counters := h.counters()
	require.EqualValues(t, 1, counters["udp.in.datagrams"])
	require.Contains(t, counters, "link.in.packets")
	require.Contains(t, counters, "raw.in.datagrams")
}

// An impaired device's counters are among the stack's, also if the device is observed, as for a capture.
func TestCountersOfAnImpairedDevice(t *testing.T) {
	a, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	d := tun.Observe(tun.Impair(a, tun.Impairment{Out: tun.Path{Loss: 1}}), unobserved{})
	h := newHost(t, Config{Interfaces: []Interface{{Device: d, Addrs: []netip.Prefix{netip.PrefixFrom(addrA, 24)}}}})
	fd := h.bound(SOCK_DGRAM, "0.0.0.0:7")
	_, err := h.SendTo(fd, []byte("x"), 0, ap("10.0.0.9:7"))
	require.NoError(t, err)
	counters := h.counters()
	require.EqualValues(t, 1, counters["impair.out.entered"])
	require.EqualValues(t, 1, counters["impair.out.lost"])
	require.Contains(t, counters, "impair.in.lost")
	require.Zero(t, counters["impair.in.entered"])
}

// unobserved is an Observer that does nothing.
type unobserved struct{}

func (unobserved) Arrived(int, *packet.Buffer) {}
func (unobserved) Handled(int)                 {}
func (unobserved) Sent(*packet.Buffer)         {}

// tapPair is two hosts on an Ethernet with the same clock.
func tapPair(t *testing.T, clk *VirtualClock, addrOfB netip.Addr) (a, b host) {
	one, two := tun.Pipe(1500, tun.TAP, packet.Features{})
	cfg := func(d tun.Device, addr netip.Addr) Config {
		return Config{Clock: clk, Interfaces: []Interface{{Device: d, Addrs: []netip.Prefix{netip.PrefixFrom(addr, 24)}, Gateway: netip.MustParseAddr("10.0.0.254")}}}
	}
	a = newHost(t, cfg(one, addrA))
	rest(20*time.Second, a)
	return a, newHost(t, cfg(two, addrOfB))
}

func TestAddressesAreProbedFor(t *testing.T) { // LINK-018
	var clk VirtualClock
	a, b := tapPair(t, &clk, addrB)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, b.Ready(ended), context.Canceled)
	require.True(t, b.Interfaces()[1].Addresses[0].Tentative)
	rest(clk.Now()+10*time.Second, a, b)
	require.NoError(t, b.Ready(context.Background()))
	require.Equal(t, []AddressInfo{{Prefix: netip.PrefixFrom(addrB, 24), Preferred: Forever, Valid: Forever}}, b.Interfaces()[1].Addresses)
	require.Len(t, b.Routes(), 3, "the gateway's too")

	server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	_, err := a.SendTo(client, []byte("x"), 0, ap("10.0.0.2:7"))
	require.NoError(t, err)
	rest(clk.Now(), a, b)
	b.receives(server, "x")
	require.Equal(t, addrB, a.Neighbors()[0].IP)
}

func TestAddressInUse(t *testing.T) { // LINK-019
	var clk VirtualClock
	a, b := tapPair(t, &clk, addrA)
	rest(clk.Now()+10*time.Second, a, b)
	err := b.Ready(context.Background())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	var conflict *link.Conflict
	require.ErrorAs(t, err, &conflict)
	require.Empty(t, b.Interfaces()[1].Addresses)
}

func TestConflictIsLogged(t *testing.T) { // LINK-021
	var clk VirtualClock
	var log strings.Builder
	one, two := tun.Pipe(1500, tun.TAP, packet.Features{})
	start := func(d tun.Device, logger *slog.Logger) host {
		cfg := device(d, addrA)
		cfg.Clock, cfg.Logger = &clk, logger
		cfg.Interfaces[0].ACD.ProbeNum = -1
		s, err := New(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		return host{s.Berkeley(), t}
	}
	a := start(one, slog.New(slog.NewTextHandler(&log, nil)))
	b := start(two, slog.New(slog.DiscardHandler))
	rest(time.Second, a, b)
	require.Contains(t, log.String(), "address conflict")
	require.Contains(t, log.String(), "10.0.0.1")
}

// broken is a device whose only queue fails.
type broken struct{ tun.Device }

func (b broken) Queues() []tun.Queue { return []tun.Queue{b} }

func (b broken) TryRead() (*packet.Buffer, error) { return nil, syscall.EIO }

func (b broken) Wait() error { return nil }

func (b broken) Write(p *packet.Buffer) error { p.Free(); return nil }

func TestDeviceFailureIsLogged(t *testing.T) {
	var log strings.Builder
	one, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	cfg := device(broken{one}, addrA)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, s.Close()) // waits for the reader
	require.Contains(t, log.String(), syscall.EIO.Error())
}

func TestManyStacks(t *testing.T) {
	for range 20 {
		h := alone(t)
		c, err := h.ListenPacket("udp", "127.0.0.1:7")
		require.NoError(t, err)
		require.Equal(t, 7, c.LocalAddr().(*net.UDPAddr).Port)
	}
}
