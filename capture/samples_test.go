package capture

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"tunstack/internal/checksum"
)

// sample is a datagram with a name.
type sample struct {
	name string
	data []byte
}

var (
	src6 = netip.MustParseAddr("2001:db8::1")
	dst6 = netip.MustParseAddr("2001:db8::2")
	src4 = netip.MustParseAddr("10.0.0.1")
	dst4 = netip.MustParseAddr("10.0.0.2")
)

// ext is an extension header behind its Next Header field: the length field and the contents, or those of a Fragment header.
type ext struct {
	protocol uint8
	b        []byte
}

// datagram6 is an IPv6 datagram with extension headers in front of a message whose checksum is at an offset; -1: none.
func datagram6(protocol uint8, sumAt int, message []byte, extensions ...ext) []byte {
	message = slices.Clone(message)
	if sumAt >= 0 {
		sum := ^checksum.Sum(message, checksum.Pseudo(src6, dst6, protocol, len(message)))
		binary.BigEndian.PutUint16(message[sumAt:], sum)
	}
	var chain []byte
	next := protocol
	for _, e := range slices.Backward(extensions) {
		chain = append(append([]byte{next}, e.b...), chain...)
		next = e.protocol
	}
	b := make([]byte, 40, 40+len(chain)+len(message))
	b[0], b[6], b[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(chain)+len(message)))
	copy(b[8:], src6.AsSlice())
	copy(b[24:], dst6.AsSlice())
	return append(append(b, chain...), message...)
}

// message6 is an ICMPv6 message.
func message6(kind, code uint8, body ...[]byte) []byte {
	return datagram6(58, 2, slices.Concat(append([][]byte{{kind, code, 0, 0}}, body...)...))
}

// datagram4 is an IPv4 datagram.
func datagram4(protocol uint8, message []byte) []byte {
	b := make([]byte, 20, 20+len(message))
	b[0], b[6], b[8], b[9] = 0x45, 0x40, 1, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(message)))
	copy(b[12:], src4.AsSlice())
	copy(b[16:], dst4.AsSlice())
	binary.BigEndian.PutUint16(b[10:], ^checksum.Sum(b, 0))
	return append(b, message...)
}

// plain is a message of IPv4 whose checksum, at an offset, has no pseudo-header.
func plain(protocol uint8, sumAt int, message ...byte) []byte {
	binary.BigEndian.PutUint16(message[sumAt:], ^checksum.Sum(message, 0))
	return datagram4(protocol, message)
}

func addr(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// udp6 is a UDP datagram and tcp6 a segment without their checksums.
func udp6(payload string) []byte {
	return append([]byte{0x13, 0x88, 0x20, 0, 0, byte(8 + len(payload)), 0, 0}, payload...)
}

func tcp6(seq, ack uint32, flags byte, options []byte, payload string) []byte {
	b := slices.Concat([]byte{0x13, 0x88, 0x20, 0}, words(seq, ack), []byte{byte(20+len(options)) << 2, flags, 1, 0, 0, 0, 0, 0}, options)
	return append(b, payload...)
}

// samples6 are messages and headers of IPv6, and those of IPv4 that have the same mechanism.
func samples6() []sample {
	linkAddr := []byte{1, 1, 2, 0, 0, 0, 0, 1}
	prefix := slices.Concat([]byte{3, 4, 64, 0xc0}, words(86400, 1<<32-1, 0), addr("2001:db8:1::"))
	route := slices.Concat([]byte{24, 2, 56, 0x08}, words(600), addr("2001:db8:2::")[:8])
	servers := slices.Concat([]byte{25, 5, 0, 0}, words(300), addr("2001:db8::53"), addr("2001:db8::54"))
	names := append(slices.Concat([]byte{31, 3, 0, 0}, words(300)), "\x03lan\x04home\x00\x02ex\x00\x00\x00"...)
	quote := datagram6(17, 6, udp6("hello"))
	hopByHop := ext{0, []byte{0, 5, 2, 0, 0, 1, 0}}
	record := slices.Concat([]byte{4, 0, 0, 1}, addr("ff02::1:3"), addr("2001:db8::9"))
	return []sample{
		{"SYN", datagram6(6, 16, tcp6(1000, 0, 2, []byte{2, 4, 5, 160, 1, 3, 3, 7}, ""))},
		{"SYN-ACK", datagram6(6, 16, tcp6(5000, 1001, 0x12, []byte{2, 4, 5, 160}, ""))},
		{"data", datagram6(6, 16, tcp6(1001, 5001, 0x18, nil, "hello"))},
		{"bad sum", datagram6(6, -1, tcp6(1006, 5001, 0x11, nil, "hello"))},
		{"UDP", quote}, {"bad UDP", datagram6(17, -1, []byte{1, 2, 3, 4, 0, 8, 9, 9})}, {"cut UDP", datagram6(17, -1, []byte{1, 2, 3, 4, 0})},
		{"no sum", datagram6(17, -1, udp6("hello"))},
		{"echo request", message6(128, 0, []byte{0, 7, 0, 9}, words(1, 2))}, {"echo reply", message6(129, 0, []byte{0, 7, 0, 9})},
		{"no route", message6(1, 0, words(0), quote)}, {"prohibited", message6(1, 1, words(0), quote)},
		{"scope", message6(1, 2, words(0), quote)}, {"address", message6(1, 3, words(0), quote)},
		{"port", message6(1, 4, words(0), quote)}, {"TCP port", message6(1, 4, words(0), datagram6(6, 16, tcp6(1, 2, 2, nil, "")))},
		{"port behind a header", message6(1, 4, words(0), datagram6(17, 6, udp6("hello"), hopByHop))},
		{"too big", message6(2, 0, words(1280), quote)}, {"hop limit", message6(3, 0, words(0), quote)},
		{"reassembly", message6(3, 1, words(0), quote)}, {"field", message6(4, 0, words(6), quote)},
		{"next header", message6(4, 1, words(6), quote)}, {"option", message6(4, 2, words(42), quote)},
		{"chain", message6(4, 3, words(40), quote)}, {"code 9", message6(4, 9, words(40), quote)},
		{"query", message6(130, 0, words(10000<<16), addr("::"))}, {"report", message6(131, 0, words(0), addr("ff02::1:3"))},
		{"done", message6(132, 0, words(0), addr("ff02::1:3"))},
		{"query 2", message6(130, 0, words(10000<<16), addr("ff02::1:3"), []byte{10, 125, 0, 1}, addr("2001:db8::9"))},
		{"long query", message6(130, 0, words(0x9000<<16), addr("::"), []byte{2, 0x90, 0, 0})}, {"bad query", message6(130, 0, words(0, 0))},
		{"report 2", message6(143, 0, words(2), record, []byte{1, 0, 0, 0}, addr("ff02::fb"))}, {"short report", message6(143, 0, words(2), record)},
		{"router solicitation", message6(133, 0, words(0), linkAddr)},
		{"router advertisement", message6(134, 0, []byte{64, 0xc8, 7, 8}, words(30000, 1000), linkAddr, prefix, []byte{5, 1, 0, 0, 0, 0, 5, 220}, route, servers, names)},
		{"neighbor solicitation", message6(135, 0, words(0), addr("fe80::2"), linkAddr)},
		{"neighbor advertisement", message6(136, 0, words(0x60000000), addr("fe80::2"), []byte{2, 1, 2, 0, 0, 0, 0, 2})},
		{"redirect", message6(137, 0, words(0), addr("fe80::9"), addr("2001:db8:9::1"), []byte{2, 1, 2, 0, 0, 0, 0, 2})},
		{"hop-by-hop", datagram6(58, 2, []byte{143, 0, 0, 0, 0, 0, 0, 0}, hopByHop)},
		{"options", datagram6(6, 16, tcp6(1, 2, 16, nil, ""), ext{60, []byte{0, 1, 1, 0, 0, 0, 0x1e}}, ext{60, []byte{0, 0x1e, 4, 1, 2, 3, 4}})},
		{"routing", datagram6(17, 6, udp6("x"), ext{43, slices.Concat([]byte{2, 0, 0}, words(0), addr("2001:db8::2"))})},
		{"first fragment", datagram6(17, -1, udp6("hello"), ext{44, append([]byte{0}, words(1<<16, 7)[1:]...)})},
		{"fragment", datagram6(17, -1, []byte("rest"), ext{44, []byte{0, 5, 0xa8, 0, 0, 0, 7}})},
		{"no next header", datagram6(59, -1, nil)}, {"GRE", datagram6(200, -1, []byte{1, 2, 3})},
		{"IGMP query", plain(2, 2, append([]byte{0x11, 100, 0, 0}, addr("224.0.0.251")...)...)},
		{"IGMP query 3", plain(2, 2, append([]byte{0x11, 0x90, 0, 0, 224, 0, 0, 251, 2, 125, 0, 1}, addr("10.0.0.9")...)...)},
		{"IGMP report", plain(2, 2, append([]byte{0x16, 0, 0, 0}, addr("224.0.0.251")...)...)},
		{"IGMP leave", plain(2, 2, append([]byte{0x17, 0, 0, 0}, addr("224.0.0.251")...)...)},
		{"IGMP report 3", plain(2, 2, 0x22, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 1, 224, 0, 0, 251, 10, 0, 0, 9)},
		{"ICMP echo", plain(1, 2, 8, 0, 0, 0, 0, 7, 0, 9)},
		{"ICMP port", plain(1, 2, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, datagram4(17, udp6("hello"))...)...)},
		{"ICMP too big", plain(1, 2, append([]byte{3, 4, 0, 0, 0, 0, 2, 64}, datagram4(17, udp6("hello"))...)...)},
		{"ICMP expired", plain(1, 2, append([]byte{11, 0, 0, 0, 0, 0, 0, 0}, datagram4(17, udp6("hello"))...)...)},
	}
}
