package socketapi

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Htons turns a number from the machine's octet order into the network's, as a port in a struct sockaddr_in has it.
func Htons(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// Htonl is Htons for 32 bits.
func Htonl(v uint32) uint32 {
	return binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, v))
}

// Ntohs is Htons the other way, which is the same.
func Ntohs(v uint16) uint16 { return Htons(v) }

// Ntohl is Htonl the other way, which is the same.
func Ntohl(v uint32) uint32 { return Htonl(v) }

// InetPton reads an address of four decimal numbers without leading zeros. Like its namesake for AF_INET it returns false
// (there: 0) for anything else.
func InetPton(text string) (addr [4]byte, ok bool) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return addr, false
	}
	return a.As4(), true
}

// InetNtop writes an address as four decimal numbers.
func InetNtop(addr [4]byte) string { return netip.AddrFrom4(addr).String() }

// InetAton reads an address as the old ways allow: one to four numbers, decimal, octal (0...) or hexadecimal (0x...),
// of which the last fills all octets that are left: "10.1" is 10.0.0.1. It returns false (there: 0) for anything else.
func InetAton(text string) (addr [4]byte, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return addr, false
	}
	var value uint32
	for i, part := range parts {
		limit := uint64(math.MaxUint8)
		if i == len(parts)-1 {
			limit = math.MaxUint32 >> (8 * i)
		}
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || n > limit || !classic(part) {
			return addr, false
		}
		if i == len(parts)-1 {
			value |= uint32(n)
		} else {
			value |= uint32(n) << (24 - 8*i)
		}
	}
	binary.BigEndian.PutUint32(addr[:], value)
	return addr, true
}

// classic excludes what Go reads as a number and C does not: underscores, 0o7 and 0b1.
func classic(number string) bool {
	return !strings.ContainsAny(number, "_oO") && !strings.HasPrefix(number, "0b") && !strings.HasPrefix(number, "0B")
}
