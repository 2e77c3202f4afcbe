package socketapi

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Htons converts a number from the machine's byte order to the network's, which a port in a struct sockaddr_in has.
func Htons(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// Htonl is Htons for 32 bits.
func Htonl(v uint32) uint32 {
	return binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, v))
}

// Ntohs is the inverse of Htons, which is the same function.
func Ntohs(v uint16) uint16 { return Htons(v) }

// Ntohl is the inverse of Htonl, which is the same function.
func Ntohl(v uint32) uint32 { return Htonl(v) }

// InetPton reads an address of four decimal numbers without leading zeros. It returns false for
// anything else, where inet_pton(3) for AF_INET returns 0.
func InetPton(text string) (addr [4]byte, ok bool) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return addr, false
	}
	return a.As4(), true
}

// InetNtop writes an address as four decimal numbers.
func InetNtop(addr [4]byte) string { return netip.AddrFrom4(addr).String() }

// InetAton reads an address in the classic notation: one to four numbers, decimal, octal (0...) or hexadecimal (0x...), of which the
// last fills all remaining bytes: "10.1" is 10.0.0.1. It returns false for anything else, where inet_aton(3) returns 0.
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

// classic refuses the notations that Go accepts and C does not: underscores, 0o7 and 0b1.
func classic(number string) bool {
	return !strings.ContainsAny(number, "_oO") && !strings.HasPrefix(number, "0b") && !strings.HasPrefix(number, "0B")
}
