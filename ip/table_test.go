package ip

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/ip/membership"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// family is an IPv4 without a header.
type family struct{}

func (family) HeaderLen() int         { return 20 }
func (family) MaxPayload() int        { return MaxDatagram - 20 }
func (family) MinMTU() int            { return 68 }
func (family) MinPMTU() int           { return 552 }
func (family) Loopback() netip.Prefix { return netip.MustParsePrefix("127.0.0.1/8") }
func (family) AllHosts() netip.Addr   { return addr("224.0.0.1") }

func (family) AllRouters() []netip.Addr              { return nil }
func (family) AddressGroup(netip.Addr) netip.Addr    { return netip.Addr{} }
func (family) RouterAnycast(netip.Prefix) netip.Addr { return netip.Addr{} }

func (family) Broadcast(network netip.Prefix) netip.Addr {
	b := network.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|^uint32(0)>>network.Bits())
	return netip.AddrFrom4(b)
}

func (family) Membership() membership.Config {
	return membership.Config{Reported: func(netip.Addr) bool { return false }}
}

func (family) SendReport(time.Duration, *Interface, *membership.Message) {}

func (family) Input(_ time.Duration, _ *Interface, p *packet.Buffer) { p.Free() }

func (family) Send(_ time.Duration, _ *Route, _ Outgoing, p *packet.Buffer) error {
	p.Free()
	return nil
}

func (family) SendRaw(_ time.Duration, _ *Route, p *packet.Buffer) error {
	p.Free()
	return nil
}

func (family) Report(time.Duration, Error, *Datagram, *packet.Buffer) {}
func (family) Parse([]byte) (Datagram, bool)                          { return Datagram{}, false }
func (family) ReplyOptions([]byte) []byte                             { return nil }

// null is a Link that swallows all.
type null struct{}

func (null) Output(_ time.Duration, p *packet.Buffer, _ netip.Addr) error {
	p.Free()
	return nil
}
func (null) MTU() int                  { return 1500 }
func (null) Features() packet.Features { return packet.Features{} }

// attached is a stack with eth0 at the given addresses.
func attached(t testing.TB, addrs ...string) (*Stack, *Interface) {
	s := New(Config{Timers: new(timer.Queue)})
	s.AddFamily(family{})
	i, err := s.AddInterface("eth0", null{})
	require.NoError(t, err)
	for _, a := range addrs {
		require.NoError(t, i.AddAddress(netip.MustParsePrefix(a)))
	}
	return s, i
}

func TestFormOf(t *testing.T) { // IP-008, IP-009
	for a, want := range map[string]Form{
		"0.0.0.0": FormUnspecified, "0.0.0.1": FormInvalid, "0.255.255.255": FormInvalid, "1.0.0.0": FormHost, "126.255.255.255": FormHost,
		"127.0.0.0": FormLoopback, "127.255.255.255": FormLoopback, "128.0.0.0": FormHost, "223.255.255.255": FormHost,
		"224.0.0.0": FormMulticast, "239.255.255.255": FormMulticast, "240.0.0.0": FormInvalid, "255.255.255.254": FormInvalid,
		"255.255.255.255": FormBroadcast,
		"::":              FormUnspecified, "::1": FormLoopback, "fe80::1%eth0": FormHost, "2001:db8::1": FormHost, "ff02::1": FormMulticast,
		"::ffff:10.0.0.1": FormInvalid,
	} {
		require.Equal(t, want, FormOf(addr(a)), a)
	}
	require.Equal(t, FormInvalid, FormOf(netip.Addr{}))
}

func TestClassOfFewAndOfMany(t *testing.T) {
	for _, n := range []int{1, 3, 4, 5, 100} { // each address has a broadcast address beside it
		s, i := attached(t)
		for k := range n {
			require.NoError(t, i.AddAddress(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(k), 2}), 24)))
		}
		for k := range n {
			require.Equal(t, Class{Form: FormHost, Local: true}, s.Class(netip.AddrFrom4([4]byte{10, 0, byte(k), 2})))
			require.Equal(t, Class{Form: FormHost, Cast: packet.Broadcast}, s.Class(netip.AddrFrom4([4]byte{10, 0, byte(k), 255})))
		}
		require.Equal(t, Class{Form: FormHost}, s.Class(addr("10.0.0.3")))
		require.Equal(t, Class{}, s.Class(addr("2001:db8::1")), "no family")
	}
}

func TestRemoveAddress(t *testing.T) {
	s, i := attached(t, "10.0.0.2/24", "10.0.0.3/24", "10.1.0.2/24")
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addr("10.0.0.1")}))
	r, err := s.Route(addr("10.0.0.9"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("10.0.0.2"), r.Src)

	require.NoError(t, i.RemoveAddress(addr("10.0.0.2")))
	require.False(t, s.IsLocal(addr("10.0.0.2")))
	require.Zero(t, r.MTU(), "a route from the address has lost its way")
	r, err = s.Route(addr("10.0.0.9"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("10.0.0.3"), r.Src, "the network stays connected by its other address")
	require.Len(t, s.Routes(), 3)

	require.NoError(t, i.RemoveAddress(addr("10.0.0.3")))
	_, err = s.Route(addr("192.0.2.1"), netip.Addr{})
	require.Error(t, err, "the gateway was in the network that has gone")
	require.Len(t, s.Routes(), 1)
	require.Error(t, i.RemoveAddress(addr("10.0.0.3")))
}

func TestManyRoutes(t *testing.T) {
	s, _ := attached(t, "10.0.0.2/8")
	prefix := func(k int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + k>>16), byte(k >> 8), byte(k), 0}), 24)
	}
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	for k := range n {
		gateway := netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k) | 3})
		require.NoError(t, s.AddRoute(RouteEntry{Prefix: prefix(k), Gateway: gateway}))
	}
	require.Len(t, s.Routes(), n+1)
	for k := 0; k < n; k += 997 {
		p, err := s.NextHop(prefix(k).Addr().Next())
		require.NoError(t, err)
		require.Equal(t, netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k) | 3}), p.NextHop)
	}
	require.NoError(t, s.DelRoute(RouteEntry{Prefix: prefix(7)}))
	_, err := s.NextHop(prefix(7).Addr().Next())
	require.Error(t, err)
}

// BenchmarkLookup measures a longest-prefix match in a table of three routes and of 100,000.
func BenchmarkLookup(b *testing.B) {
	for name, n := range map[string]int{"3": 2, "100000": 100_000} {
		s, _ := attached(b, "10.0.0.2/8")
		for k := range n {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + k>>16), byte(k >> 8), byte(k), 0}), 24)
			require.NoError(b, s.AddRoute(RouteEntry{Prefix: p, Gateway: addr("10.0.0.1")}))
		}
		t, dst := s.table.Load(), addr("20.0.1.9")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if t.lookup(dst) == nil {
					b.Fatal("no route")
				}
			}
		})
	}
}
