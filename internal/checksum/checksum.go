// Package checksum computes the Internet checksum (RFC 1071).
package checksum

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Sum adds data to initial in ones' complement and folds the result to 16 bits. It is not complemented:
// the value to store in a header is ^Sum. Data of odd length counts as padded with a zero byte.
//
// The bytes are added in the machine's own order, eight at a time, and only the sum is put into network order: in
// ones' complement that is the same (RFC 1071 section 2 B).
func Sum(data []byte, initial uint16) uint16 {
	var even, odd uint64 // two sums, so that the processor adds to both at once
	if hasVector && len(data) >= leastVector {
		n := min(len(data), 1<<30) / vectorBlock * vectorBlock
		even, data = addVector(data[:n]), data[n:]
	}
	for len(data) >= 64 {
		even = add32(even, data)
		odd = add32(odd, data[32:])
		data = data[64:]
	}
	if len(data) >= 32 {
		even = add32(even, data)
		data = data[32:]
	}
	sum, carry := bits.Add64(even, odd, 0)
	for len(data) >= 8 {
		sum, carry = bits.Add64(sum, binary.NativeEndian.Uint64(data), carry)
		data = data[8:]
	}
	if len(data) >= 4 {
		sum, carry = bits.Add64(sum, uint64(binary.NativeEndian.Uint32(data)), carry)
		data = data[4:]
	}
	if len(data) > 0 {
		var tail [8]byte
		copy(tail[:], data)
		sum, carry = bits.Add64(sum, binary.NativeEndian.Uint64(tail[:]), carry)
	}
	var order [2]byte
	binary.NativeEndian.PutUint16(order[:], fold(sum, carry))
	return Add(initial, binary.BigEndian.Uint16(order[:]))
}

// leastVector is the number of bytes from which vector instructions are faster.
const leastVector = 256

// add32 adds the first 32 bytes of p to sum in ones' complement.
func add32(sum uint64, p []byte) uint64 {
	var carry uint64
	sum, carry = bits.Add64(sum, binary.NativeEndian.Uint64(p), 0)
	sum, carry = bits.Add64(sum, binary.NativeEndian.Uint64(p[8:]), carry)
	sum, carry = bits.Add64(sum, binary.NativeEndian.Uint64(p[16:]), carry)
	sum, carry = bits.Add64(sum, binary.NativeEndian.Uint64(p[24:]), carry)
	sum, carry = bits.Add64(sum, 0, carry)
	return sum + carry
}

func fold(sum, carry uint64) uint16 {
	sum, carry = bits.Add64(sum, 0, carry)
	sum += carry
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// Add is the ones' complement sum of two folded sums.
func Add(a, b uint16) uint16 {
	s := uint32(a) + uint32(b)
	return uint16(s + s>>16)
}

// Swap turns the sum of bytes that start at an even offset into the sum of the same bytes at an odd offset (RFC 1071 section 2
// B).
func Swap(s uint16) uint16 { return s<<8 | s>>8 }

// Put stores a checksum in network byte order.
func Put(field []byte, c uint16) { binary.BigEndian.PutUint16(field, c) }

// Pseudo is the sum of the pseudo-header of TCP and UDP (RFC 9293 section 3.1, RFC 8200 section 8.1). The pseudo-headers of the
// two families differ in form but have the same sum.
func Pseudo(src, dst netip.Addr, protocol uint8, length int) uint16 {
	return PseudoFrom(Addresses(src, dst), protocol, length)
}

// Addresses is the part of Pseudo that the addresses contribute. An IPv4 address counts as an IPv4-mapped IPv6 address: ones'
// complement ignores the 0xffff.
func Addresses(src, dst netip.Addr) uint16 {
	s, d := src.As16(), dst.As16()
	sum, carry := bits.Add64(binary.BigEndian.Uint64(s[:]), binary.BigEndian.Uint64(s[8:]), 0)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[:]), carry)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(d[8:]), carry)
	return fold(sum, carry)
}

// PseudoFrom is Pseudo from the sum of the Addresses.
func PseudoFrom(addresses uint16, protocol uint8, length int) uint16 {
	sum := uint(addresses) + uint(protocol) + uint(length)
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}

// PseudoOf is Pseudo with both addresses side by side, as a header holds them.
func PseudoOf(addresses []byte, protocol uint8, length int) uint16 {
	return PseudoFrom(Sum(addresses, 0), protocol, length)
}
