package dhcp6

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/stretchr/testify/require"
)

// DHCP6-005: one defect per message; an unknown option is none.
func TestDroppedMessages(t *testing.T) {
	for _, tt := range []struct {
		name, counter string
		change        change
	}{
		{"another transaction", "transaction", func(m *dhcpv6.Message) { m.TransactionID[0]++ }},
		{"another client", "client_id", add(dhcpv6.OptClientID(&dhcpv6.DUIDUUID{}))},
		{"no client", "client_id", without(dhcpv6.OptionClientID)},
		{"no server", "server_id", without(dhcpv6.OptionServerID)},
		{"long server", "server_id", add(dhcpv6.OptServerID(&dhcpv6.DUIDOpaque{Type: 9, Data: make([]byte, 129)}))},
		{"a request", "type", func(m *dhcpv6.Message) { m.MessageType = dhcpv6.MessageTypeRequest }},
		{"a reconfiguration", "type", func(m *dhcpv6.Message) { m.MessageType = dhcpv6.MessageTypeReconfigure }},
		{"no addresses", "no_address", without(dhcpv6.OptionIANA)},
		{"another IAID", "no_address", add(&dhcpv6.OptIANA{IaId: [4]byte{9}})},
		{"lifetimes swapped", "no_address", add(ia(0, 0, "2001:db8::7 200 100"))},
		{"a group", "no_address", add(ia(0, 0, "ff02::1 100 200"))},
		{"link-local", "no_address", add(ia(0, 0, "fe80::1 100 200"))},
		{"malformed IA", "no_address", add(raw(dhcpv6.OptionIANA, 0, 0, 0, 7, 1))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Stateful)
			l.run(3 * time.Second)
			l.advertises(tt.change)
			require.Equal(t, Soliciting, l.c.State())
			require.EqualValues(t, 1, l.count("dhcp6.drop."+tt.counter))
			l.advertises(add(raw(0xfff0, 1, 2, 3)))
			require.Equal(t, Requesting, l.c.State())
			l.advertises()
		})
	}
	l := newLab(t, Stateful)
	l.run(time.Second)
	for _, b := range [][]byte{nil, {2, 0, 0}, make([]byte, MaxMessage+1), {2, 0, 0, 0, 0, 1, 0, 9}} {
		l.c.Input(l.now, b)
	}
	require.EqualValues(t, 4, l.count("dhcp6.drop.malformed"))
}

// DHCP6-007: of the addresses of a Reply those with preferred beyond valid are left out.
func TestLifetimes(t *testing.T) {
	l := newLab(t, Stateful).bind(add(ia(0, 0, "2001:db8::7 100 200", "2001:db8::8 201 200", "2001:db8::7 1 1", "2001:db8::9 0 300")))
	require.Equal(t, []netip.Addr{own, netip.MustParseAddr("2001:db8::9")}, l.c.Lease().Addresses)
	require.Positive(t, l.count("dhcp6.ignored.lifetimes"))
}

// DHCP6-015: servers and domains in the order of the server; what does not fit is left out.
func TestSettings(t *testing.T) {
	one, two := netip.MustParseAddr("2001:db8::53"), netip.MustParseAddr("fe80::53")
	both := append(one.AsSlice(), two.AsSlice()...)
	for name, tt := range map[string]struct {
		options []dhcpv6.Option
		want    Settings
	}{
		"none":        {nil, Settings{}},
		"one server":  {[]dhcpv6.Option{raw(23, both[:16]...)}, Settings{DNS: []netip.Addr{one}}},
		"two servers": {[]dhcpv6.Option{raw(23, both...)}, Settings{DNS: []netip.Addr{one, two}}},
		"15 bytes":    {[]dhcpv6.Option{raw(23, both[:15]...)}, Settings{}},
		"17 bytes":    {[]dhcpv6.Option{raw(23, both[:17]...)}, Settings{}},
		"no host":     {[]dhcpv6.Option{raw(23, make([]byte, 16)...)}, Settings{}},
		"search":      {[]dhcpv6.Option{raw(24, []byte("\x01b\x07example\x00\x01a\x00")...)}, Settings{Search: []string{"b.example", "a"}}},
		"a loop":      {[]dhcpv6.Option{raw(24, []byte("\x01a\xc0\x00")...)}, Settings{}},
		"beyond":      {[]dhcpv6.Option{raw(24, []byte("\x09a")...)}, Settings{}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, Stateful).bind(add(tt.options...))
			require.Equal(t, tt.want, l.settings)
		})
	}
}

// No datagram makes the client panic, or take more than the bounds.
func FuzzInput(f *testing.F) {
	l := &lab{t: new(testing.T), last: &dhcpv6.Message{MessageType: dhcpv6.MessageTypeSolicit}}
	f.Add(l.reply(dhcpv6.MessageTypeAdvertise, add(dhcpv6.OptPreference(255), seconds(dhcpv6.OptionSolMaxRT, 60))).ToBytes())
	f.Add(l.reply(dhcpv6.MessageTypeReply, add(raw(dhcpv6.OptionRapidCommit), raw(24, 1, 'a', 0xc0, 0), raw(23, own.AsSlice()...))).ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, reach := range []func() *lab{
			func() *lab { return newLab(t, Stateless) },
			func() *lab { return newLab(t, Stateful) },
			func() *lab { l := newLab(t, Stateful).bind(); l.run(1001 * time.Second); return l },
		} {
			l := reach()
			l.run(time.Second)
			if m, err := Parse(b); err == nil {
				m.TransactionID = l.c.exchange.xid
				m.Options.Update(dhcpv6.OptClientID(duid))
				_ = l.c.receive(l.now, m)
			}
			l.c.Input(l.now, b)
			l.run(time.Minute)
			require.LessOrEqual(t, len(l.c.lease.addrs), maxAddresses)
			require.LessOrEqual(t, len(l.settings.Search), maxDomains)
			require.LessOrEqual(t, len(l.settings.DNS), maxServers)
		}
	})
}
