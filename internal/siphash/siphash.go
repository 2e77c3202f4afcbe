// Package siphash is SipHash-2-4 (Aumasson and Bernstein, 2012), a hash that cannot be predicted without the key.
package siphash

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Key is the secret.
type Key [2]uint64

// NewKey makes a Key of random bytes.
func NewKey(secret [16]byte) Key {
	return Key{binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])}
}

// Sum hashes the words as if they stood one behind the other in little-endian order.
func (k Key) Sum(words ...uint64) uint64 {
	v0, v1, v2, v3 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d, k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	for _, m := range words {
		v3 ^= m
		v0, v1, v2, v3 = round(round(v0, v1, v2, v3))
		v0 ^= m
	}
	m := uint64(len(words)) * 8 << 56
	v3 ^= m
	v0, v1, v2, v3 = round(round(v0, v1, v2, v3))
	v0 ^= m
	v2 ^= 0xff
	v0, v1, v2, v3 = round(round(round(round(v0, v1, v2, v3))))
	return v0 ^ v1 ^ v2 ^ v3
}

// Addrs hashes two addresses.
func (k Key) Addrs(a, b netip.Addr) uint64 {
	x, y := a.As16(), b.As16()
	return k.Sum(binary.BigEndian.Uint64(x[:]), binary.BigEndian.Uint64(x[8:]), binary.BigEndian.Uint64(y[:]), binary.BigEndian.Uint64(y[8:]))
}

// round is SipRound. The compiler inlines it and keeps the state in registers.
func round(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}
