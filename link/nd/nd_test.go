package nd

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

var (
	router = netip.MustParseAddr("fe80::1")
	host   = netip.MustParseAddr("2001:db8::2")
	none   = netip.IPv6Unspecified()
	mac    = LinkLayer{2, 0, 0, 0, 0, 1}
)

// received is the message that New makes, as a receiver of it sees it.
func received(t *testing.T, src, dst netip.Addr, a Appender) *Message {
	t.Helper()
	p := New(src, dst, a)
	defer p.Free()
	require.Equal(t, dst.IsMulticast(), p.Cast == packet.Multicast)
	b := slices.Clone(p.Bytes())
	require.Equal(t, len(b)-ipv6HeaderLen, int(binary.BigEndian.Uint16(b[4:])))
	require.Equal(t, uint16(0xffff), checksum.Sum(b[ipv6HeaderLen:], checksum.Pseudo(src, dst, protocolICMPv6, len(b)-ipv6HeaderLen)))
	return &Message{Src: src, Dst: dst, HopLimit: b[7], Body: b[ipv6HeaderLen:]}
}

// valid is received for a message that must be valid.
func valid(t *testing.T, src, dst netip.Addr, a Appender) *Message {
	t.Helper()
	m := received(t, src, dst, a)
	require.Empty(t, refusal(m))
	return m
}

// refusal is the name of the counter of the reason for which a message is discarded.
func refusal(m *Message) string {
	var c Counters
	valid := m.Valid(&c)
	for _, v := range stats.Read(c.Stats()) {
		if v.Value > 0 && strings.Contains(v.Name, ".drop.") == !valid {
			if valid {
				return ""
			}
			return v.Name
		}
	}
	return "nothing counted"
}

func TestRoundTrip(t *testing.T) {
	rs := RouterSolicitation{mac}
	require.Equal(t, rs, valid(t, router, AllRouters, &rs).RouterSolicitation())
	ns := NeighborSolicitation{host, mac, []byte{1, 2, 3, 4, 5, 6}}
	require.Equal(t, ns, valid(t, router, SolicitedNode(host), &ns).NeighborSolicitation())
	na := NeighborAdvertisement{host, true, true, true, mac}
	require.Equal(t, na, valid(t, router, host, &na).NeighborAdvertisement())
	for _, na := range []NeighborAdvertisement{{Target: host}, {Target: host, Router: true}, {Target: host, Override: true}} {
		require.Equal(t, na, valid(t, router, AllNodes, &na).NeighborAdvertisement())
	}
	redirect := Redirect{router, host, mac, slices.Repeat([]byte{0x60}, 48)}
	require.Equal(t, redirect, valid(t, router, host, &redirect).Redirect())
	ra := RouterAdvertisement{
		CurHopLimit: 64, Managed: true, Preference: -1, RouterLifetime: 30 * time.Minute, ReachableTime: time.Second, RetransTimer: time.Minute,
		Source: mac, MTU: 1400,
		Prefixes: []PrefixInformation{
			{netip.MustParsePrefix("2001:db8::/64"), true, true, Forever, time.Hour},
			{netip.MustParsePrefix("fd00::/48"), false, false, 0, 0},
		},
		Routes: []RouteInformation{
			{netip.MustParsePrefix("::/0"), 1, Forever}, {netip.MustParsePrefix("2001:db8:1::/48"), 0, time.Hour},
			{netip.MustParsePrefix("2001:db8::9/128"), -1, 0},
		},
		RDNSS: []RDNSS{{[]netip.Addr{host, router}, time.Minute}},
		DNSSL: []DNSSL{{[]string{"example.org", "a.b"}, time.Minute}},
	}
	require.Equal(t, &ra, valid(t, router, AllNodes, &ra).RouterAdvertisement())
	require.Equal(t, &RouterAdvertisement{Other: true}, valid(t, router, AllNodes, &RouterAdvertisement{Other: true}).RouterAdvertisement())
}

// ND-004, ND-007, ND-029: every message type, with each fault that all of them can have.
func TestInvalid(t *testing.T) {
	for name, m := range map[string]*Message{
		"router solicitation":    valid(t, router, AllRouters, &RouterSolicitation{mac}),
		"router advertisement":   valid(t, router, AllNodes, &RouterAdvertisement{Source: mac}),
		"neighbor solicitation":  valid(t, router, SolicitedNode(host), &NeighborSolicitation{Target: host, Source: mac}),
		"neighbor advertisement": valid(t, router, host, &NeighborAdvertisement{Target: host, TargetAddress: mac}),
		"redirect":               valid(t, router, host, &Redirect{Target: router, Destination: host, TargetAddress: mac}),
	} {
		t.Run(name, func(t *testing.T) {
			fault := func(want string, change func(m *Message)) {
				t.Helper()
				bad := *m
				bad.Body = slices.Clone(m.Body)
				change(&bad)
				require.Equal(t, want, refusal(&bad))
			}
			shortest := minLen(m.Type())
			fault("nd.drop.hop_limit", func(m *Message) { m.HopLimit = 254 })
			fault("nd.drop.fragment", func(m *Message) { m.Fragmented = true })
			fault("nd.drop.bad_code", func(m *Message) { m.Body[1] = 1 })
			if shortest > 8 {
				fault("nd.drop.truncated", func(m *Message) { m.Body = m.Body[:shortest-1] })
			}
			fault("nd.drop.bad_option", func(m *Message) { m.Body[shortest+1] = 0 })
			fault("nd.drop.bad_option", func(m *Message) { m.Body[shortest+1] = 2 })
			fault("nd.drop.bad_option", func(m *Message) { m.Body = append(m.Body, 200) })
			fault("nd.drop.bad_link_layer_address", func(m *Message) { m.Body[shortest+2] = 3 })
			fault("nd.drop.bad_link_layer_address", func(m *Message) { clear(m.Body[shortest+2:]) })
			fault("nd.drop.bad_link_layer_address", func(m *Message) {
				m.Body[shortest+1] = 2
				m.Body = append(m.Body, make([]byte, 8)...)
			})
			fault("", func(m *Message) { m.Body = m.Body[:shortest] })
			fault("", func(m *Message) { m.Body = appendOption(m.Body, 200, []byte("unknown option")) }) // ND-005
			for _, typ := range []uint8{optSourceLinkLayer, optTargetLinkLayer, optPrefix, optRedirectedHeader, optMTU, optNonce, optRDNSS} {
				if typ != linkLayerOption(m.Type()) { // ND-005: options that are not meant for the message
					fault("", func(m *Message) { m.Body = appendOption(m.Body, typ, make([]byte, 14)) })
				}
			}
			fault("", func(m *Message) { // ND-005: reserved fields
				if typ := m.Type(); typ != TypeRouterAdvertisement {
					m.Body[5], m.Body[6], m.Body[7] = 0xff, 0xff, 0xff
				}
			})
			if m.Type() == TypeRouterAdvertisement || m.Type() == TypeRedirect {
				fault("nd.drop.bad_source", func(m *Message) { m.Src = host })
				fault("nd.drop.bad_source", func(m *Message) { m.Src = none })
			}
		})
	}
}

// ND-006, ND-037: the rules of single message types.
func TestInvalidTogether(t *testing.T) {
	group := netip.MustParseAddr("ff02::5")
	for _, tt := range []struct {
		want     string
		src, dst netip.Addr
		m        Appender
	}{
		{"nd.drop.bad_target", router, SolicitedNode(host), &NeighborSolicitation{Target: group}},
		{"nd.drop.bad_target", router, host, &NeighborAdvertisement{Target: group}},
		{"nd.drop.solicited_multicast", router, AllNodes, &NeighborAdvertisement{Target: host, Solicited: true}},
		{"nd.drop.unspecified_source", none, AllNodes, &NeighborSolicitation{Target: host}},
		{"nd.drop.unspecified_source", none, host, &NeighborSolicitation{Target: host}},
		{"nd.drop.unspecified_source", none, SolicitedNode(host), &NeighborSolicitation{Target: host, Source: mac}},
		{"nd.drop.unspecified_source", none, AllRouters, &RouterSolicitation{mac}},
		{"", none, SolicitedNode(host), &NeighborSolicitation{Target: host}},
		{"", none, AllRouters, &RouterSolicitation{}},
		{"nd.drop.bad_destination", router, host, &Redirect{Target: router, Destination: group}},
		{"nd.drop.bad_target", router, host, &Redirect{Target: netip.MustParseAddr("2001:db8::3"), Destination: host}},
		{"", router, host, &Redirect{Target: host, Destination: host}},
	} {
		require.Equal(t, tt.want, refusal(received(t, tt.src, tt.dst, tt.m)), "%+v", tt)
	}
}

// SLAAC-021, SLAAC-023, ND-036: a malformed option is left out, and the rest of the message counts.
func TestMalformedOptions(t *testing.T) {
	option := func(typ uint8, content ...byte) []byte { return appendOption(nil, typ, content) }
	name := func(b ...byte) []byte { return option(optDNSSL, append([]byte{0, 0, 0, 0, 0, 60}, b...)...) }
	label := strings.Repeat("x", 63)
	var long []byte
	for range 4 {
		long = append(append(long, 63), label...)
	}
	for what, o := range map[string][]byte{
		"MTU of two units":                 option(optMTU, make([]byte, 14)...),
		"prefix of three units":            option(optPrefix, make([]byte, 22)...),
		"prefix of 129 bits":               option(optPrefix, append([]byte{129}, make([]byte, 29)...)...),
		"route of 1 bit in one unit":       option(optRoute, 1, 0, 0, 0, 0, 60),
		"route of 65 bits in two units":    option(optRoute, append([]byte{65}, make([]byte, 13)...)...),
		"route of 129 bits":                option(optRoute, append([]byte{129}, make([]byte, 21)...)...),
		"route of four units":              option(optRoute, make([]byte, 30)...),
		"route of reserved preference":     option(optRoute, 0, 0x10, 0, 0, 0, 60),
		"no server":                        option(optRDNSS, make([]byte, 6)...),
		"half a server":                    option(optRDNSS, make([]byte, 14)...),
		"no domain":                        name(),
		"the root":                         name(0),
		"name without end":                 name(7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e'),
		"label beyond the option":          name(63, 'a'),
		"compressed name":                  name(0xc0, 0),
		"space in a name":                  name(3, 'a', ' ', 'b', 0),
		"dot in a label":                   name(3, 'a', '.', 'b', 0),
		"something behind the last domain": name(1, 'a', 0, 0, 1, 'b', 0),
		"name of 255 characters":           name(append(long, 0)...),
	} {
		t.Run(what, func(t *testing.T) {
			m := valid(t, router, AllNodes, &RouterAdvertisement{})
			m.Body = append(m.Body, o...)
			m.Body = append(m.Body, (&RouterAdvertisement{MTU: 1500}).Append(nil)[16:]...)
			require.Empty(t, refusal(m))
			require.Equal(t, &RouterAdvertisement{MTU: 1500}, m.RouterAdvertisement())
		})
	}
	m := valid(t, router, AllNodes, &RouterAdvertisement{})
	m.Body[5] = 0x10
	require.Zero(t, m.RouterAdvertisement().Preference, "ND-035: the reserved preference")
}

// Of several options with a link-layer address the first counts, as in Linux.
func TestFirstOptionCounts(t *testing.T) {
	m := valid(t, router, host, &NeighborAdvertisement{Target: host, TargetAddress: mac})
	m.Body = appendLinkLayer(m.Body, optTargetLinkLayer, LinkLayer{2, 2})
	require.Equal(t, mac, m.NeighborAdvertisement().TargetAddress)
}

func TestSolicitedNode(t *testing.T) {
	require.Equal(t, "ff02::1:ff12:3456", SolicitedNode(netip.MustParseAddr("2001:db8::ab12:3456")).String())
}

// SEC-015: a message that is valid reads without a panic, and reads the same once it is written again.
func FuzzMessage(f *testing.F) {
	for _, m := range []Appender{
		&RouterSolicitation{mac}, &NeighborSolicitation{host, mac, make([]byte, 6)}, &NeighborAdvertisement{host, true, false, true, mac},
		&Redirect{router, host, mac, make([]byte, 48)}, &RouterAdvertisement{MTU: 1500, DNSSL: []DNSSL{{[]string{"a.b"}, 1}}},
	} {
		f.Add(m.Append(nil), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, fromRouter bool) {
		if len(b) < 8 || !Is(b[0]) {
			return
		}
		m := &Message{Src: none, Dst: AllNodes, HopLimit: HopLimit, Body: b}
		if fromRouter {
			m.Src, m.Dst = router, host
		}
		if refusal(m) != "" {
			return
		}
		first := read(m)
		m.Body = first.Append(nil)
		require.Empty(t, refusal(m))
		require.Equal(t, first, read(m))
	})
}

// read reads a valid message.
func read(m *Message) Appender {
	switch m.Type() {
	case TypeRouterSolicitation:
		s := m.RouterSolicitation()
		return &s
	case TypeRouterAdvertisement:
		return m.RouterAdvertisement()
	case TypeNeighborSolicitation:
		s := m.NeighborSolicitation()
		return &s
	case TypeNeighborAdvertisement:
		a := m.NeighborAdvertisement()
		return &a
	}
	r := m.Redirect()
	return &r
}
