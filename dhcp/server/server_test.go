package server

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"tunstack/internal/stats"
)

var network = netip.MustParsePrefix("10.0.0.1/24")

// lab is a Server in virtual time.
type lab struct {
	*Server
	t   *testing.T
	now time.Duration
}

func newLab(t *testing.T, cfg Config) *lab {
	if !cfg.Addr.IsValid() {
		cfg.Addr = network
	}
	s, err := New(cfg)
	require.NoError(t, err)
	return &lab{Server: s, t: t}
}

// asks sends a request of a client and returns the answer in words: its type and the address, or "".
func (l *lab) asks(client byte, typ dhcpv4.MessageType, change ...dhcpv4.Modifier) (answer, to string) {
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: net.HardwareAddr{2, 0, 0, 0, 0, client}}
	m.UpdateOption(dhcpv4.OptMessageType(typ))
	for _, f := range change {
		f(m)
	}
	r, where := l.Handle(l.now, m.ToBytes())
	if r == nil {
		return "", ""
	}
	require.Equal(l.t, m.ClientHWAddr, r.ClientHWAddr)
	text := r.MessageType().String()
	if a := field(r.YourIPAddr); a.IsValid() && !a.IsUnspecified() {
		text += " " + a.String()
	}
	return text, where.String()
}

func ask(a string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(a)))
}

func from(a string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(a)))
}

func ciaddr(a string) dhcpv4.Modifier { return dhcpv4.WithClientIP(net.ParseIP(a)) }

// is requires an answer.
func (l *lab) is(want string, client byte, typ dhcpv4.MessageType, change ...dhcpv4.Modifier) {
	l.t.Helper()
	got, _ := l.asks(client, typ, change...)
	require.Equal(l.t, want, got)
}

const everybody = "255.255.255.255:68"

func TestGrant(t *testing.T) {
	l := newLab(t, Config{})
	l.is("OFFER 10.0.0.155", 1, dhcpv4.MessageTypeDiscover)
	l.is("OFFER 10.0.0.155", 1, dhcpv4.MessageTypeDiscover)
	l.is("OFFER 10.0.0.156", 2, dhcpv4.MessageTypeDiscover)
	answer, to := l.asks(1, dhcpv4.MessageTypeRequest, from("10.0.0.1"), ask("10.0.0.155"))
	require.Equal(t, "ACK 10.0.0.155", answer)
	require.Equal(t, everybody, to)
	l.is("NAK", 2, dhcpv4.MessageTypeRequest, from("10.0.0.1"), ask("10.0.0.155"))
	l.is("", 2, dhcpv4.MessageTypeRequest, from("10.0.0.9"), ask("10.0.0.7"))
	l.is("OFFER 10.0.0.156", 3, dhcpv4.MessageTypeDiscover, ask("10.0.0.156"))
	l.is("OFFER 10.0.0.254", 4, dhcpv4.MessageTypeDiscover, ask("10.0.0.254"))
	l.is("OFFER 10.0.0.157", 5, dhcpv4.MessageTypeDiscover, ask("10.0.0.1"))
}

func TestRenewAndReboot(t *testing.T) {
	l := newLab(t, Config{})
	l.asks(1, dhcpv4.MessageTypeDiscover)
	l.asks(1, dhcpv4.MessageTypeRequest, from("10.0.0.1"), ask("10.0.0.155"))
	l.now = 50 * time.Minute
	answer, to := l.asks(1, dhcpv4.MessageTypeRequest, ciaddr("10.0.0.155"))
	require.Equal(t, "ACK 10.0.0.155", answer)
	require.Equal(t, "10.0.0.155:68", to)
	l.now = 100 * time.Minute
	l.is("ACK 10.0.0.155", 1, dhcpv4.MessageTypeRequest, ask("10.0.0.155"))
	answer, to = l.asks(1, dhcpv4.MessageTypeRequest, ciaddr("10.0.0.200"))
	require.Equal(t, "NAK", answer)
	require.Equal(t, everybody, to)
	l.is("", 2, dhcpv4.MessageTypeRequest, ask("10.0.0.200"))
	l.is("NAK", 2, dhcpv4.MessageTypeRequest, ask("192.168.1.9"))
	require.EqualValues(t, 1, stats.Count("dhcp.server.drop.unknown", l.Stats()))
}

// An address is free again when its lease ends, when it is given back, and a lease time after it was declined.
func TestPool(t *testing.T) {
	l := newLab(t, Config{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("10.0.0.3"), Exclude: []netip.Addr{netip.MustParseAddr("10.0.0.3")}})
	take := func(client byte) {
		t.Helper()
		l.is("OFFER 10.0.0.2", client, dhcpv4.MessageTypeDiscover)
		l.is("ACK 10.0.0.2", client, dhcpv4.MessageTypeRequest, from("10.0.0.1"), ask("10.0.0.2"))
	}
	take(1)
	l.is("", 2, dhcpv4.MessageTypeDiscover)
	l.asks(1, dhcpv4.MessageTypeRelease, ciaddr("10.0.0.9"), from("10.0.0.1"))
	l.is("", 2, dhcpv4.MessageTypeDiscover)
	l.asks(1, dhcpv4.MessageTypeRelease, ciaddr("10.0.0.2"), from("10.0.0.1"))
	take(2)
	l.now += time.Hour
	take(3)
	l.asks(1, dhcpv4.MessageTypeDecline, ask("10.0.0.2"))
	l.is("OFFER 10.0.0.2", 3, dhcpv4.MessageTypeDiscover)
	l.asks(3, dhcpv4.MessageTypeDecline, ask("10.0.0.2"))
	l.is("", 3, dhcpv4.MessageTypeDiscover)
	l.now += time.Hour
	l.is("OFFER 10.0.0.2", 4, dhcpv4.MessageTypeDiscover)
	l.now += offerTime
	take(5)
	require.LessOrEqual(t, len(l.bindings), 1)
	require.Len(t, l.owners, 1)
}

// A flood of clients takes no more memory than the pool has addresses, and offers end soon.
func TestFlood(t *testing.T) {
	l := newLab(t, Config{})
	for i := range 2000 {
		l.asks(byte(i), dhcpv4.MessageTypeDiscover, dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte{byte(i), byte(i >> 8)})))
	}
	require.Len(t, l.bindings, 100)
	require.Len(t, l.owners, 100)
	require.EqualValues(t, 1900, stats.Count("dhcp.server.drop.pool_empty", l.Stats()))
	l.now = offerTime
	l.is("OFFER 10.0.0.155", 1, dhcpv4.MessageTypeDiscover)
}

// RFC 6842 section 3, RFC 2131 section 4.3.5: what an answer has.
func TestReply(t *testing.T) {
	l := newLab(t, Config{
		Routers: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, DNS: []netip.Addr{netip.MustParseAddr("10.0.0.53")}, Domain: "example.org", MTU: 1400,
	})
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}, ClientIPAddr: net.IP{10, 0, 0, 9}}
	m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeInform))
	m.UpdateOption(dhcpv4.OptClientIdentifier([]byte("me")))
	r, to := l.Handle(0, m.ToBytes())
	require.Equal(t, "10.0.0.9:68", to.String())
	require.Equal(t, []byte("me"), r.Options.Get(dhcpv4.OptionClientIdentifier))
	require.False(t, r.Options.Has(dhcpv4.OptionIPAddressLeaseTime))
	require.Equal(t, "example.org", r.DomainName())
	require.Equal(t, "10.0.0.1", r.Router()[0].String())
	require.Equal(t, []byte{5, 120}, r.Options.Get(dhcpv4.OptionInterfaceMTU))
	m.GatewayIPAddr = net.IP{10, 0, 0, 8}
	_, to = l.Handle(0, m.ToBytes())
	require.Equal(t, "10.0.0.8:67", to.String())
}

func TestBadConfig(t *testing.T) {
	a := netip.MustParseAddr
	for want, cfg := range map[string]Config{
		"it needs an IPv4 address":            {},
		"in a network of at least four":       {Addr: netip.MustParsePrefix("10.0.0.1/31")},
		"is not in 10.0.0.0/24":               {Addr: network, First: a("10.0.1.1"), Last: a("10.0.1.9")},
		"from 10.0.0.9 to 10.0.0.8 is not in": {Addr: network, First: a("10.0.0.9"), Last: a("10.0.0.8")},
		"more than 65536":                     {Addr: netip.MustParsePrefix("10.0.0.1/8"), First: a("10.1.0.0"), Last: a("10.9.0.0")},
		"are too short":                       {Addr: network, Lease: time.Second},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, want)
	}
	for p, want := range map[string][2]string{
		"10.0.0.1/24": {"10.0.0.155", "10.0.0.254"}, "10.0.0.1/30": {"10.0.0.2", "10.0.0.2"}, "10.0.0.1/28": {"10.0.0.8", "10.0.0.14"},
	} {
		first, last := lastOf(netip.MustParsePrefix(p))
		require.Equal(t, want, [2]string{first.String(), last.String()}, p)
	}
}

// No datagram makes the server panic, and it never gives an address outside of its pool.
func FuzzHandle(f *testing.F) {
	for _, typ := range []dhcpv4.MessageType{1, 3, 4, 7, 8} {
		m := &dhcpv4.DHCPv4{OpCode: 1, HWType: 1, ClientHWAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
		m.UpdateOption(dhcpv4.OptMessageType(typ))
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(net.IP{10, 0, 0, 155}))
		f.Add(m.ToBytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := newLab(t, Config{})
		for range 3 {
			if r, _ := l.Handle(l.now, b); r != nil {
				_ = r.ToBytes()
				if a := field(r.YourIPAddr); a.IsValid() {
					require.False(t, a.Less(l.cfg.First) || l.cfg.Last.Less(a), a)
				}
			}
		}
		require.LessOrEqual(t, len(l.owners), 1)
	})
}
