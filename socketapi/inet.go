package socketapi

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
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

// Sizes of the longest texts of InetNtop, with the zero byte that ends a C string.
const (
	INET_ADDRSTRLEN  = 16
	INET6_ADDRSTRLEN = 46
)

// addrLen is the size in bytes of an address of a family; 0 for an unknown family.
func addrLen(family int) int {
	switch family {
	case AF_INET:
		return 4
	case AF_INET6:
		return 16
	}
	return 0
}

// InetPton reads the text of an address of a family into dst, 4 bytes for AF_INET and 16 for AF_INET6, and returns 1 (inet_pton(3)). IPv4 is
// four decimal numbers without leading zeros, and no address has a zone. For other text it returns 0 and leaves dst unchanged; for another
// family -1 and EAFNOSUPPORT. It panics if dst is too short.
func InetPton(family int, text string, dst []byte) (int, error) {
	n := addrLen(family)
	if n == 0 {
		return -1, syscall.EAFNOSUPPORT
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.BitLen() != 8*n {
		return 0, nil
	}
	copy(dst[:n], a.AsSlice())
	return 1, nil
}

// InetNtop returns the text of the address of a family in src, 4 bytes for AF_INET and 16 for AF_INET6 (inet_ntop(3)). size is the size of
// the C program's buffer, with room for the zero byte that ends the text. Errors: EAFNOSUPPORT, ENOSPC if the text is too long. InetNtop
// panics if src is too short.
func InetNtop(family int, src []byte, size int) (string, error) {
	n := addrLen(family)
	if n == 0 {
		return "", syscall.EAFNOSUPPORT
	}
	text := textOf(src[:n])
	if len(text) >= size {
		return "", syscall.ENOSPC
	}
	return text, nil
}

// textOf is the text of an address. Like glibc it ends an IPv4-compatible address (RFC 4291 section 2.5.5.1) in IPv4's notation.
func textOf(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	if a.Is6() && [12]byte(b) == [12]byte{} && (b[12] != 0 || b[13] != 0) {
		return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
	}
	return a.String()
}

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
