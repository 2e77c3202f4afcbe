package dhcp4

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
)

func raw(code uint8, b ...byte) dhcpv4.Modifier {
	return dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(code), b)
}

// DHCP-003, DHCP-011, DHCP-018: replies that are not for the client, or not what it waits for.
func TestDroppedReplies(t *testing.T) {
	another := func(m *dhcpv4.DHCPv4) { m.TransactionID[0]++ }
	yours := func(a string) dhcpv4.Modifier { return dhcpv4.WithYourIP(net.ParseIP(a)) }
	for _, tt := range []struct {
		name, counter string
		typ           dhcpv4.MessageType
		change        dhcpv4.Modifier
	}{
		{"another transaction", "transaction", dhcpv4.MessageTypeOffer, another},
		{"a request", "other", dhcpv4.MessageTypeOffer, func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootRequest }},
		{"another host's", "other", dhcpv4.MessageTypeOffer, dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, 2})},
		{"another client's", "client_id", dhcpv4.MessageTypeOffer, raw(61, 1, 2, 3)},
		{"no server", "server", dhcpv4.MessageTypeOffer, dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier)},
		{"no host as server", "server", dhcpv4.MessageTypeOffer, raw(54, 0, 0, 0, 0)},
		{"ACK while selecting", "state", dhcpv4.MessageTypeAck, func(*dhcpv4.DHCPv4) {}},
		{"NAK while selecting", "state", dhcpv4.MessageTypeNak, func(*dhcpv4.DHCPv4) {}},
		{"no type", "state", dhcpv4.MessageTypeOffer, dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType)},
		{"a DISCOVER", "state", dhcpv4.MessageTypeDiscover, func(*dhcpv4.DHCPv4) {}},
		{"no address", "address", dhcpv4.MessageTypeOffer, yours("0.0.0.0")},
		{"a group", "address", dhcpv4.MessageTypeOffer, yours("224.0.0.1")},
		{"loopback", "address", dhcpv4.MessageTypeOffer, yours("127.0.0.1")},
		{"link-local", "address", dhcpv4.MessageTypeOffer, yours("169.254.1.1")},
		{"the broadcast address", "address", dhcpv4.MessageTypeOffer, yours("10.0.0.255")},
		{"the network", "address", dhcpv4.MessageTypeOffer, yours("10.0.0.0")},
		{"no lease time", "lease", dhcpv4.MessageTypeOffer, dhcpv4.WithoutOption(dhcpv4.OptionIPAddressLeaseTime)},
		{"a lease of 0 s", "lease", dhcpv4.MessageTypeOffer, dhcpv4.WithLeaseTime(0)},
		{"a short lease time", "lease", dhcpv4.MessageTypeOffer, raw(51, 0, 0, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Config{})
			l.run(0)
			l.hears(tt.typ, tt.change)
			require.Equal(t, Selecting, l.c.State())
			require.EqualValues(t, 1, l.count("dhcp4.drop."+tt.counter))
			l.hears(dhcpv4.MessageTypeOffer, raw(61, id...))
			require.Equal(t, Requesting, l.c.State())
		})
	}
}

// DHCP-003: in REQUESTING only the chosen server's answer counts, and it must be about the offered address.
func TestDroppedAnswers(t *testing.T) {
	l := newLab(t, Config{})
	l.run(0)
	l.hears(dhcpv4.MessageTypeOffer)
	l.hears(dhcpv4.MessageTypeAck, raw(54, 10, 0, 0, 9))
	l.hears(dhcpv4.MessageTypeNak, raw(54, 10, 0, 0, 9))
	require.EqualValues(t, 2, l.count("dhcp4.drop.server"))
	l.hears(dhcpv4.MessageTypeAck, dhcpv4.WithYourIP(net.IP{10, 0, 0, 9}))
	require.EqualValues(t, 1, l.count("dhcp4.drop.address"))
	l.hears(dhcpv4.MessageTypeOffer)
	require.EqualValues(t, 1, l.count("dhcp4.drop.state"))
	require.Equal(t, Requesting, l.c.State())
	l.hears(dhcpv4.MessageTypeAck)
	require.Equal(t, Probing, l.c.State())
}

// DHCP-001: what is not a message, or too long, is dropped; a reply of 576 bytes with its headers is not.
func TestMalformed(t *testing.T) {
	l := newLab(t, Config{})
	l.run(0)
	whole := l.reply(dhcpv4.MessageTypeOffer).ToBytes()
	bad := [][]byte{nil, make([]byte, 300), whole[:239], append(bytes.Clone(whole), make([]byte, MaxMessage)...)}
	noEnd := bytes.ReplaceAll(whole, []byte{255}, []byte{0})
	for _, b := range append(bad, noEnd) {
		l.c.Input(l.now, b)
	}
	require.EqualValues(t, len(bad)+1, l.count("dhcp4.drop.malformed"))
	l.c.Input(l.now, append(whole, make([]byte, 548-len(whole))...))
	require.Equal(t, Requesting, l.c.State())
}

// DHCP-006: T1 < T2 < lease, whatever the server says, with a random part.
func TestTimes(t *testing.T) {
	for _, tt := range []struct{ lease, t1, t2, wantT1, wantT2 uint32 }{
		{3600, 0, 0, 1800, 3150},
		{3600, 600, 1200, 600, 1200},
		{3600, 1200, 600, 342, 600},
		{3600, 600, 600, 342, 600},
		{3600, 3600, 4000, 1800, 3150},
		{3600, 600, 4000, 600, 3150},
		{3600, 3200, 0, 1800, 3150},
		{1, 0, 0, 0, 0},
	} {
		l := newLab(t, Config{})
		l.run(0)
		seen := map[time.Duration]bool{}
		for range 10 {
			m := l.reply(dhcpv4.MessageTypeOffer, dhcpv4.WithLeaseTime(tt.lease),
				dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(time.Duration(tt.t1)*time.Second)),
				dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(time.Duration(tt.t2)*time.Second)))
			lease, drop := l.c.leaseOf(0, m)
			require.Nil(t, drop)
			require.Positive(t, lease.Renew)
			require.Less(t, lease.Renew, lease.Rebind)
			require.Less(t, lease.Rebind, lease.End)
			if tt.lease > 1 {
				require.InEpsilon(t, tt.wantT1, lease.Renew.Seconds(), 1.0/15)
				require.InEpsilon(t, tt.wantT2, lease.Rebind.Seconds(), 1.0/15)
			}
			seen[lease.Renew] = true
		}
		require.Greater(t, len(seen), 5)
	}
}

// DHCP-012, DHCP-013, DHCP-014, DHCP-016: the settings in an ACK.
func TestSettings(t *testing.T) {
	route := func(p, router string) Route {
		r := Route{Prefix: netip.MustParsePrefix(p)}
		if router != "" {
			r.Router = netip.MustParseAddr(router)
		}
		return r
	}
	addrs := func(list ...string) []netip.Addr {
		a := []netip.Addr{}
		for _, s := range list {
			a = append(a, netip.MustParseAddr(s))
		}
		return a
	}
	long := []byte(strings.Repeat("a", 64))
	for name, tt := range map[string]struct {
		options []dhcpv4.Modifier
		want    func(*Settings)
	}{
		"none":          {nil, func(*Settings) {}},
		"routers":       {[]dhcpv4.Modifier{raw(3, 10, 0, 0, 1, 10, 0, 0, 2)}, func(s *Settings) { s.Routes = []Route{route("0.0.0.0/0", "10.0.0.1"), route("0.0.0.0/0", "10.0.0.2")} }},
		"no router":     {[]dhcpv4.Modifier{raw(3, 0, 0, 0, 0)}, func(*Settings) {}},
		"half a router": {[]dhcpv4.Modifier{raw(3, 10, 0)}, func(*Settings) {}},
		"classless":     {[]dhcpv4.Modifier{raw(121, 8, 10, 192, 0, 2, 1), raw(3, 10, 0, 0, 1), raw(33, 10, 9, 9, 9, 10, 0, 0, 1)}, func(s *Settings) { s.Routes = []Route{route("10.0.0.0/8", "192.0.2.1")} }},
		"with default": {[]dhcpv4.Modifier{raw(121, 0, 10, 0, 0, 9, 24, 192, 0, 2, 10, 0, 0, 1)}, func(s *Settings) {
			s.Routes = []Route{route("0.0.0.0/0", "10.0.0.9"), route("192.0.2.0/24", "10.0.0.1")}
		}},
		"on the link":     {[]dhcpv4.Modifier{raw(121, 32, 192, 0, 2, 1, 0, 0, 0, 0)}, func(s *Settings) { s.Routes = []Route{route("192.0.2.1/32", "")} }},
		"bits beyond":     {[]dhcpv4.Modifier{raw(121, 9, 10, 255, 10, 0, 0, 1)}, func(s *Settings) { s.Routes = []Route{route("10.128.0.0/9", "10.0.0.1")} }},
		"width 33":        {[]dhcpv4.Modifier{raw(121, 33, 1, 2, 3, 4, 10, 0, 0, 1), raw(3, 10, 0, 0, 1)}, func(s *Settings) { s.Routes = []Route{route("0.0.0.0/0", "10.0.0.1")} }},
		"truncated route": {[]dhcpv4.Modifier{raw(121, 24, 192, 0, 2, 10, 0)}, func(*Settings) {}},
		"DNS":             {[]dhcpv4.Modifier{raw(6, 10, 0, 0, 53, 127, 0, 0, 1, 10, 0, 0, 54)}, func(s *Settings) { s.DNS = addrs("10.0.0.53", "10.0.0.54") }},
		"MTU":             {[]dhcpv4.Modifier{raw(26, 5, 120)}, func(s *Settings) { s.MTU = 1400 }},
		"small MTU":       {[]dhcpv4.Modifier{raw(26, 0, 67)}, func(*Settings) {}},
		"short MTU":       {[]dhcpv4.Modifier{raw(26, 9)}, func(*Settings) {}},
		"broadcast":       {[]dhcpv4.Modifier{raw(28, 10, 0, 0, 255)}, func(s *Settings) { s.Broadcast = netip.MustParseAddr("10.0.0.255") }},
		"NTP":             {[]dhcpv4.Modifier{raw(42, 10, 0, 0, 12)}, func(s *Settings) { s.NTP = addrs("10.0.0.12") }},
		"names":           {[]dhcpv4.Modifier{raw(12, []byte("box")...), raw(15, []byte("example.org.\x00")...)}, func(s *Settings) { s.Hostname, s.Domain = "box", "example.org" }},
		"no names":        {[]dhcpv4.Modifier{raw(12, []byte("a b\n")...), raw(15, long...)}, func(*Settings) {}},
		"search":          {[]dhcpv4.Modifier{raw(119, []byte("\x03eng\x07example\x03org\x00\x09marketing\xc0\x04")...)}, func(s *Settings) { s.Search = []string{"eng.example.org", "marketing.example.org"} }},
		"search loop":     {[]dhcpv4.Modifier{raw(119, []byte("\x01a\xc0\x00")...)}, func(*Settings) {}},
		"search beyond":   {[]dhcpv4.Modifier{raw(119, []byte("\x09short")...)}, func(*Settings) {}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, Config{}).bind(tt.options...)
			want := NoSettings()
			tt.want(&want)
			require.Equal(t, want, l.c.Lease().Settings)
		})
	}
}

// Lists beyond the bounds are cut.
func TestBounds(t *testing.T) {
	var classless, servers, search []byte
	for i := range 200 {
		classless = append(classless, 32, 192, 0, 2, byte(i), 10, 0, 0, 1)
		servers = append(servers, 10, 0, 0, byte(i))
		search = append(search, 1, 'a'+byte(i%26), 0)
	}
	s := newLab(t, Config{}).bind(raw(121, classless...), raw(6, servers...), raw(119, search...)).c.Lease().Settings
	require.Len(t, s.Routes, maxRoutes)
	require.Len(t, s.DNS, maxServers)
	require.Len(t, s.Search, maxDomains)
}

// DHCP-012: without a mask, that of the address's class.
func TestMask(t *testing.T) {
	for addr, bits := range map[string]int{"10.0.0.7": 8, "172.16.0.7": 16, "192.168.0.7": 24} {
		l := newLab(t, Config{})
		l.run(0)
		m := l.reply(dhcpv4.MessageTypeOffer, dhcpv4.WithYourIP(net.ParseIP(addr)), dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask))
		lease, drop := l.c.leaseOf(0, m)
		require.Nil(t, drop)
		require.Equal(t, bits, lease.Addr.Bits())
	}
}

// overloaded moves options into the fields that option 52 names.
func overloaded(m *dhcpv4.DHCPv4, overload uint8, file, sname []byte) []byte {
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionOptionOverload, []byte{overload}))
	b := m.ToBytes()
	copy(b[fileAt:fileEnd], file)
	copy(b[snameAt:fileAt], sname)
	return b
}

// DHCP-015: option 121 in parts, in the options and in the fields file and sname.
func TestOptionsInParts(t *testing.T) {
	route := func(s string) Route {
		return Route{netip.MustParsePrefix(s), netip.MustParseAddr("10.0.0.1")}
	}
	file, sname := []byte{121, 4, 10, 0, 0, 1, 0, 121, 2, 24, 192, 255}, []byte{121, 6, 0, 2, 10, 0, 0, 1, 255, 121, 1, 99}
	for _, tt := range []struct {
		overload uint8
		first    []byte
		want     []Route
	}{
		{0, []byte{8, 11, 10, 0, 0, 1}, []Route{route("11.0.0.0/8")}},
		{1, []byte{8, 11}, nil},
		{2, []byte{24, 192}, []Route{route("192.0.2.0/24")}},
		{3, []byte{8, 11}, []Route{route("11.0.0.0/8"), route("192.0.2.0/24")}},
	} {
		l := newLab(t, Config{})
		l.run(0)
		m, err := Parse(overloaded(l.reply(dhcpv4.MessageTypeOffer, raw(121, tt.first...)), tt.overload, file, sname))
		require.NoError(t, err)
		require.Equal(t, tt.want, routes(m), tt.overload)
	}
	l := newLab(t, Config{})
	l.run(0)
	_, err := Parse(overloaded(l.reply(dhcpv4.MessageTypeOffer), 1, []byte{12, 200, 'x'}, nil))
	require.Error(t, err, "a length past the end of the field")
}

// DHCP-019: the addresses are in the range of RFC 3927, and depend on the interface.
func TestLinkLocalAddresses(t *testing.T) {
	low, high := netip.MustParseAddr("169.254.1.0"), netip.MustParseAddr("169.254.254.255")
	next, same, other := LinkLocal(mac), LinkLocal(mac), LinkLocal(net.HardwareAddr{2, 0, 0, 0, 0, 9})
	seen := map[netip.Prefix]bool{}
	differ := 0
	for range 10000 {
		p := next()
		require.Equal(t, p, same())
		require.Equal(t, 16, p.Bits())
		require.False(t, p.Addr().Less(low) || high.Less(p.Addr()), p)
		seen[p] = true
		if p != other() {
			differ++
		}
	}
	require.Greater(t, len(seen), 9000)
	require.Greater(t, differ, 9900)
}

// No datagram makes the client panic, or take more than the bounds.
func FuzzInput(f *testing.F) {
	l := &lab{t: new(testing.T), last: &dhcpv4.DHCPv4{ClientHWAddr: mac}}
	for _, m := range []*dhcpv4.DHCPv4{
		l.reply(dhcpv4.MessageTypeOffer, raw(121, 8, 10, 192, 0, 2, 1), raw(119, 1, 'a', 0xc0, 0)),
		l.reply(dhcpv4.MessageTypeAck, raw(26, 1, 1), raw(3, 10, 0, 0, 1), raw(52, 3)),
		l.reply(dhcpv4.MessageTypeNak),
	} {
		f.Add(m.ToBytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		for _, reach := range []func(*lab){func(*lab) {}, func(l *lab) { l.hears(dhcpv4.MessageTypeOffer) }, func(l *lab) { l.bind(); l.run(31 * time.Minute) }} {
			l := newLab(t, Config{})
			l.run(0)
			reach(l)
			if err == nil {
				m.TransactionID, m.ClientHWAddr = l.c.xid, mac
				_ = l.c.receive(l.now, m)
			}
			l.c.Input(l.now, b)
			if lease := l.c.lease; lease != nil {
				require.True(t, isHostIn(lease.Addr.Addr(), lease.Addr))
				require.LessOrEqual(t, len(lease.Routes), maxRoutes)
				require.LessOrEqual(t, len(lease.Search), maxDomains)
				require.Less(t, lease.Start, lease.End)
			}
		}
	})
}
