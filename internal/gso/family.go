package gso

import (
	"encoding/binary"

	"tunstack/internal/checksum"
)

// family holds the differences between the headers of IPv4 and IPv6. A header h may be followed by more bytes; ip is a whole
// datagram.
type family struct {
	etherType uint16
	least     int    // bytes of a header without options
	protocol  int    // offset of the protocol number
	addresses [2]int // offsets of the start and the end of source and destination, side by side
	mask      []byte // of a header without options: 0 where packets of one super-packet may differ

	// length returns the length of the header h, which has at least least bytes.
	length func(h []byte) int
	// seal completes the header, of n bytes, of ip: its length, and for IPv4 the identification, increased by count, and the
	// checksum.
	seal func(ip []byte, n int, count uint16)
	// plain reports whether ip is a whole TCP segment behind a sound header without options, not fragmented and not to be
	// fragmented.
	plain func(ip []byte) bool
}

// familyOf returns the family of the header at the start of b, and the header's length; nil if there is no whole header.
func familyOf(b []byte) (*family, int) {
	var f *family
	switch {
	case len(b) >= ipv4.least && b[0]>>4 == 4:
		f = &ipv4
	case len(b) >= ipv6.least && b[0]>>4 == 6:
		f = &ipv6
	default:
		return nil, 0
	}
	n := f.length(b)
	if n < f.least || n > len(b) {
		return nil, 0
	}
	return f, n
}

func (f *family) protocolOf(h []byte) uint8   { return h[f.protocol] }
func (f *family) addressesOf(h []byte) []byte { return h[f.addresses[0]:f.addresses[1]] }

// ipv4 is RFC 791. Each packet has an identification of its own (RFC 6864 section 4.1).
var ipv4 = family{
	etherType: 0x0800, least: 20, protocol: 9, addresses: [2]int{12, 20},
	mask:   maskOf(20, [2]int{2, 6}, [2]int{10, 12}), // length, identification, checksum
	length: func(h []byte) int { return int(h[0]&0xf) * 4 },
	seal: func(ip []byte, n int, count uint16) {
		h := ip[:n]
		binary.BigEndian.PutUint16(h[2:], uint16(len(ip)))
		binary.BigEndian.PutUint16(h[4:], binary.BigEndian.Uint16(h[4:])+count)
		checksum.Put(h[10:], 0)
		checksum.Put(h[10:], ^checksum.Sum(h, 0))
	},
	plain: func(ip []byte) bool {
		const dontFragment = 0x4000
		return ip[0] == 0x45 && ip[9] == protocolTCP && binary.BigEndian.Uint16(ip[6:]) == dontFragment &&
			int(binary.BigEndian.Uint16(ip[2:])) == len(ip) && checksum.Sum(ip[:20], 0) == 0xffff
	},
}

// ipv6 is RFC 8200, without extension headers.
var ipv6 = family{
	etherType: 0x86dd, least: 40, protocol: 6, addresses: [2]int{8, 40},
	mask:   maskOf(40, [2]int{4, 6}), // length
	length: func([]byte) int { return 40 },
	seal:   func(ip []byte, n int, _ uint16) { binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-n)) },
	plain: func(ip []byte) bool {
		return ip[0]>>4 == 6 && ip[6] == protocolTCP && int(binary.BigEndian.Uint16(ip[4:])) == len(ip)-40
	},
}

// tcpMask is the mask of a TCP header with as many options as it can have: sequence number, flags and checksum may differ.
var tcpMask = maskOf(60, [2]int{4, 8}, [2]int{13, 14}, [2]int{16, 18})

// maskOf returns n bytes, 0 in the given ranges.
func maskOf(n int, zero ...[2]int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	for _, r := range zero {
		clear(b[r[0]:r[1]])
	}
	return b
}

// same reports whether a and b, of the same length, a multiple of 4, have the same bits where mask has a 1.
func same(a, b, mask []byte) bool {
	for len(a) >= 8 && len(b) >= 8 && len(mask) >= 8 {
		if (binary.NativeEndian.Uint64(a)^binary.NativeEndian.Uint64(b))&binary.NativeEndian.Uint64(mask) != 0 {
			return false
		}
		a, b, mask = a[8:], b[8:], mask[8:]
	}
	return len(a) == 0 || (binary.NativeEndian.Uint32(a)^binary.NativeEndian.Uint32(b))&binary.NativeEndian.Uint32(mask) == 0
}
