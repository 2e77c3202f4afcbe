package filter

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/capture"
	"tunstack/internal/netns"
)

// sample is a packet with a letter for its name.
type sample struct {
	name byte
	out  bool
	data []byte // with an Ethernet header
}

func serialize(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, all...))
	return b.Bytes()
}

// samples are a packet of each kind.
func samples(t testing.TB) []sample {
	ether := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	arp, six := *ether, *ether
	group := *ether
	group.DstMAC, group.EthernetType = net.HardwareAddr{0x33, 0x33, 0xff, 0, 0, 2}, layers.EthernetTypeIPv6
	arp.EthernetType, six.EthernetType = layers.EthernetTypeARP, layers.EthernetTypeIPv6
	ip := func(p layers.IPProtocol, src byte) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: net.IP{10, 0, 0, src}, DstIP: net.IP{10, 0, 0, 3 - src}}
	}
	fragment := ip(layers.IPProtocolTCP, 1)
	fragment.FragOffset = 3
	ip6 := func(p layers.IPProtocol, dst string) *layers.IPv6 {
		return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: p, SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP(dst)}
	}
	udp6 := []byte{0x13, 0x88, 0, 53, 0, 8, 0, 0}
	options := ip(layers.IPProtocolTCP, 2)
	options.Options = []layers.IPv4Option{{OptionType: 1, OptionLength: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 1}}
	return []sample{
		{'s', false, serialize(t, ether, ip(layers.IPProtocolTCP, 1), &layers.TCP{SrcPort: 4000, DstPort: 80, SYN: true, Window: 500})},
		{'d', true, serialize(t, ether, options, &layers.TCP{SrcPort: 80, DstPort: 4000, ACK: true, PSH: true}, gopacket.Payload(make([]byte, 600)))},
		{'f', false, serialize(t, ether, fragment, gopacket.Payload("\x00\x50\x00\x50rest"))},
		{'u', false, serialize(t, ether, ip(layers.IPProtocolUDP, 1), &layers.UDP{SrcPort: 53, DstPort: 5353}, gopacket.Payload("x"))},
		{'i', true, serialize(t, ether, ip(layers.IPProtocolICMPv4, 2), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0)})},
		{'a', false, serialize(t, &arp, &layers.ARP{Operation: 1, HwAddressSize: 6, ProtAddressSize: 4, AddrType: 1, Protocol: 0x800,
			SourceHwAddress: ether.SrcMAC, SourceProtAddress: []byte{10, 0, 0, 1}, DstHwAddress: make([]byte, 6), DstProtAddress: []byte{10, 0, 0, 2}})},
		{'6', false, serialize(t, &six, &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")},
			&layers.TCP{SrcPort: 4000, DstPort: 80})},
		{'n', false, serialize(t, &group, ip6(layers.IPProtocolICMPv6, "ff02::1:ff00:2"), &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(135, 0)},
			gopacket.Payload(make([]byte, 20)))},
		{'F', true, serialize(t, &six, ip6(layers.IPProtocolIPv6Fragment, "fd00::2"), gopacket.Payload(append([]byte{17, 0, 0, 1, 0, 0, 0, 7}, udp6...)))},
		{'H', true, serialize(t, &six, ip6(layers.IPProtocolIPv6HopByHop, "fd00::2"), gopacket.Payload(append([]byte{60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0}, udp6...)))},
		{'0', false, nil},
	}
}

// selected returns the names of the samples that a filter selects.
func selected(t testing.TB, expression string, raw bool) string {
	t.Helper()
	f, err := Parse(expression)
	require.NoError(t, err, expression)
	var names []byte
	for _, s := range samples(t) {
		p, source := capture.Packet{Data: s.data, Out: s.out}, capture.Source{Link: layers.LinkTypeEthernet}
		if raw && len(s.data) > 0 {
			p.Data, source.Link = s.data[14:], layers.LinkTypeRaw
		}
		if f.Match(&p, source) {
			names = append(names, s.name)
		}
	}
	return string(names)
}

// selections are expressions and the samples that they select.
var selections = map[string]string{
	"": "sdfuia6nFH0", "ip": "sdfui", "ip6": "6nFH", "arp": "a", "rarp": "", "tcp": "sdf6", "udp": "uF", "icmp": "i", "icmp6": "n",
	"host 10.0.0.1": "sdfuia", "src host 10.0.0.1": "sfua", "dst 10.0.0.1": "di", "ip host 10.0.0.1": "sdfui",
	"arp host 10.0.0.1": "a", "arp src 10.0.0.1": "a", "arp dst 10.0.0.1": "", "host fd00::1": "6nFH", "src net fd00::/64": "6nFH",
	"net 10.0.0.0/31": "sdfuia", "src net 10.0.0.0/31": "sfua", "net 10": "sdfuia", "net 10.0.1": "", "src and dst net 10": "sdfuia",
	"net 10.0.0.0 mask 255.255.255.254": "sdfuia", "net 0.0.0.0/0": "sdfuia",
	"port 80": "sd6", "src port 80": "d", "tcp dst port 80": "s6", "udp port 80": "", "port 53 or 4000": "sdu6",
	"tcp port (53 or 80)": "sd6", "portrange 50-60": "u", "tcp portrange 70-90": "sd6", "port http": "sd6", "udp port domain": "u",
	"src or dst port 53": "u", "src and dst port 53": "",
	"proto 6": "sdf6", "ip proto 6": "sdf", "ip6 proto 6": "6", `ip proto \udp`: "u", "proto tcp": "sdf6",
	"ether host 02:00:00:00:00:01": "sdfuia6nFH", "ether dst 02:00:00:00:00:01": "", "ether src 02:00:00:00:00:01": "sdfuia6nFH",
	"inbound and tcp": "sf6", "outbound": "diFH", "less 60": "sfuia0", "greater 600": "d", "len = 0": "0",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0": "s", "tcp[13] = 2": "s", "not tcp[13] = 2": "dfuia6nFH0", "tcp[14:2] == 500": "s",
	"icmp[icmptype] = icmp-echo": "i", "icmp[0] != 8": "", "ip[0] & 0xf > 5": "d", "ip[2:2] > 576": "d", "ip[6:2] & 0x1fff != 0": "f",
	"ip[1000] = 0": "", "not ip[1000] = 0": "a6nFH0", "udp[4:2] - 8 = 1": "u", "1 + 2 * 3 = 7": "sdfuia6nFH0", "(1 + 2) * 3 = 9": "sdfuia6nFH0",
	"1 << 2 + 1 = 8": "sdfuia6nFH0", "-1 = 0xffffffff": "sdfuia6nFH0", "8 / 0 = 1": "", "4 | 1 = 5 and 12 >> 2 = 3": "sdfuia6nFH0",
	"not tcp": "uianFH0", "! tcp && ! udp": "ianH0", "not (tcp or udp)": "ianH0", "not not tcp": "sdf6", "((tcp))": "sdf6",
	"udp or tcp and port 80": "sd6", "udp or (tcp and port 80)": "sdu6F", "tcp || icmp && inbound": "sf6",
	"icmp6[icmp6type] = icmp6-neighborsolicit": "n", "icmp6[0] != 135": "", "ip6[6] = 44": "F", "ip6 multicast": "n", "ip multicast": "",
	"multicast": "n", "ether multicast": "n", "broadcast": "", "ether broadcast": "", "ip6 protochain 17": "FH", "protochain 17": "uFH",
	"ip6 protochain 60": "H", "ip protochain 17": "u", "ip6 protochain 51": "", "dst net ff00::/8": "n", "ip6 dst host ff02::1:ff00:2": "n",
	"ip6 host fd00::2": "6FH", "ip6 proto 0": "H", "ip6 proto 58": "n", "icmp6 and ip6 multicast": "n", "net fd00::/16": "6nFH",
	"ip6 src net fd00::/64 and not icmp6": "6FH",
}

func TestFilter(t *testing.T) {
	for expression, want := range selections {
		got := selected(t, expression, false)
		require.ElementsMatch(t, []byte(want), []byte(got), "%s: %s", expression, got)
	}
}

// tcpdump selects the same.
func TestFilterAsTcpdump(t *testing.T) {
	netns.NeedTool(t, "tcpdump")
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.PCAP, capture.Source{Link: layers.LinkTypeEthernet})
	require.NoError(t, err)
	all := samples(t)
	for i, s := range all[:len(all)-1] { // without the empty one, which is no packet for tcpdump
		require.NoError(t, w.Write([]*capture.Packet{{At: time.Unix(int64(i), 0), Data: s.data}}))
	}
	name := filepath.Join(t.TempDir(), "samples.pcap")
	require.NoError(t, os.WriteFile(name, file.Bytes(), 0o600))
	for expression, want := range selections {
		if strings.Contains(expression, "bound") || slices.Contains([]string{"proto tcp", "8 / 0 = 1"}, expression) {
			continue // a pcap file has no directions; tcpdump refuses the others
		}
		out, err := exec.Command("tcpdump", "-ttnr", name, "--", expression).Output()
		require.NoError(t, err, expression)
		var got []byte
		for _, at := range regexp.MustCompile(`(?m)^\d+\.`).FindAllString(string(out), -1) {
			i, err := strconv.Atoi(strings.TrimSuffix(at, "."))
			require.NoError(t, err)
			got = append(got, all[i].name)
		}
		require.ElementsMatch(t, []byte(strings.ReplaceAll(want, "0", "")), got, "%s: %s", expression, got)
	}
}

// A packet that ends behind its header has no header to look behind.
func TestProtochainOfHeaderAlone(t *testing.T) {
	bare := serialize(t, &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolNoNextHeader, SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")})
	for expression, want := range map[string]bool{"ip6 protochain 59": true, "ip6 protochain 6": false, "not ip6 protochain 6": true} {
		f, err := Parse(expression)
		require.NoError(t, err)
		require.Equal(t, want, f.Match(&capture.Packet{Data: bare}, capture.Source{Link: layers.LinkTypeRaw}), expression)
	}
}

// raws are selections from packets without a link header.
var raws = map[string]string{
	"tcp": "sdf6", "port 80 or icmp": "sdi6", "arp": "", "host 10.0.0.1": "sdfui", "ether host 02:00:00:00:00:01": "", "ether[0] = 2": "",
	"len = 40 + 6": "sfuia",
}

// Without a link header the same packets are selected, except by ARP and Ethernet.
func TestFilterOfRawIP(t *testing.T) {
	for expression, want := range raws {
		require.Equal(t, want, selected(t, expression, true), expression)
	}
}

func TestBadFilters(t *testing.T) {
	for expression, message := range map[string]string{
		"tcp and":                    "syntax error: unexpected end of the expression",
		"(tcp":                       "syntax error: unexpected end of the expression",
		"tcp)":                       `syntax error: unexpected ")"`,
		"tcp udp":                    `syntax error: unexpected "udp"`,
		"tcp and and":                `syntax error at "and": expected a primitive`,
		"or tcp":                     `syntax error at "or": expected a primitive`,
		"tcp or )":                   `syntax error at ")": expected a primitive`,
		"host = 10.0.0.1":            `syntax error at "=": expected a primitive`,
		"80":                         `"80" is not an address`,
		"foo":                        `"foo" is not an address`,
		"port":                       "syntax error: unexpected end of the expression",
		"port 65536":                 `"65536" is not a port`,
		"port nonsense":              `"nonsense" is not a port`,
		"portrange 1":                `"1" is not a range of ports`,
		"host example.org":           `"example.org" is not an address`,
		"host 10.0.0.300":            `"10.0.0.300" is not an address`,
		"host fe80::1%tun0":          "fe80::1%tun0: the addresses in packets have no zone",
		"net fd00::/129":             "fd00::/129 is not a network",
		"net fe80::%tun0/10":         `"fe80::%tun0" is not a network`,
		"ip6 host 10.0.0.1":          "ip6 has no address 10.0.0.1",
		"tcp multicast":              `syntax error: unexpected "multicast"`,
		"ip6 protochain 256":         `"256" is not a protocol`,
		"net 10.0.0.1/24":            "10.0.0.1/24 has bits outside of its network",
		"net 10.0.0.0/33":            "10.0.0.0/33 is not a network",
		"net 10 mask 255.0.255.0":    "255.0.255.0 is not a mask",
		"icmp port 80":               "icmp has no ports",
		"ip port 80":                 "ip has no ports",
		"tcp host 10.0.0.1":          "tcp host cannot be combined",
		"arp host fd00::1":           "arp has no address fd00::1",
		"ether host x":               `"x" is not an Ethernet address`,
		"tcp[13":                     "syntax error: unexpected end of the expression",
		"tcp[0:3] = 0":               `load size "3": it must be 1, 2 or 4`,
		"tcp[13] & 2":                "syntax error: unexpected end of the expression",
		"foo[0] = 1":                 `syntax error: unexpected "foo"`,
		"less x":                     `"x" is not a number`,
		"proto 256":                  `"256" is not a protocol`,
		"tcp $":                      `syntax error near "$"`,
		strings.Repeat("(", 200):     "the expression is too long",
		strings.Repeat("not ", 2000): "the expression is too long",
		"len = " + strings.Repeat("-", 200) + "1": "the expression is too long",
	} {
		_, err := Parse(expression)
		require.ErrorContains(t, err, "filter: ", expression)
		require.ErrorContains(t, err, message, expression)
	}
}

// No expression and no packet makes the filter panic.
func FuzzFilter(f *testing.F) {
	for _, expression := range []string{"tcp port 80 or 443", "not (src net 10.0.0.0/8 and ip[2:2] > 576)", "ether host 02:00:00:00:00:01",
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "portrange 1-2 and less 80", "host fd00::1 or arp[6:2] = 1",
		"ip6 protochain 17 or icmp6[0] = 135", "ip6 multicast"} {
		for _, s := range samples(f) {
			f.Add(expression, s.data, true)
		}
	}
	f.Fuzz(func(t *testing.T, expression string, data []byte, ethernet bool) {
		match, err := Parse(expression)
		if err != nil {
			return
		}
		s := capture.Source{Link: layers.LinkTypeRaw}
		if ethernet {
			s.Link = layers.LinkTypeEthernet
		}
		match.Match(&capture.Packet{Data: data}, s)
		match.Match(&capture.Packet{}, s)
	})
}
