// Package checksum computes the Internet checksum (RFC 1071).
package checksum

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds data to initial in ones' complement and folds the result to 16 bits. It is not complemented:
// the value to store in a header is ^Sum. Data of odd length counts as padded with a zero octet.
func Sum(data []byte, initial uint16) uint16 {
	sum := uint64(initial)
	var carry uint64
	for len(data) >= 32 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data[8:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data[16:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data[24:]), carry)
		data = data[32:]
	}
	for len(data) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data), carry)
		data = data[8:]
	}
	if len(data) > 0 {
		var tail [8]byte
		copy(tail[:], data)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(tail[:]), carry)
	}
	return fold(sum, carry)
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

// Swap turns the sum of octets that start at an even offset into that of the same octets at an odd one (RFC 1071 section 2 B).
func Swap(s uint16) uint16 { return s<<8 | s>>8 }

// Put stores a checksum in network byte order.
func Put(field []byte, c uint16) { binary.BigEndian.PutUint16(field, c) }

// Pseudo is the sum of the IPv4 pseudo-header of TCP and UDP (RFC 9293 section 3.1, RFC 768).
func Pseudo(src, dst [4]byte, protocol uint8, length int) uint16 {
	sum := uint64(binary.BigEndian.Uint32(src[:])) + uint64(binary.BigEndian.Uint32(dst[:])) + uint64(protocol) + uint64(length)
	return fold(sum, 0)
}
