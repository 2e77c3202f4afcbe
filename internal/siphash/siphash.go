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
	v := [4]uint64{k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573}
	for _, m := range words {
		compress(&v, m)
	}
	compress(&v, uint64(len(words))*8<<56)
	v[2] ^= 0xff
	rounds(&v, 4)
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

// Addrs hashes two addresses.
func (k Key) Addrs(a, b netip.Addr) uint64 {
	x, y := a.As16(), b.As16()
	return k.Sum(binary.BigEndian.Uint64(x[:]), binary.BigEndian.Uint64(x[8:]), binary.BigEndian.Uint64(y[:]), binary.BigEndian.Uint64(y[8:]))
}

func compress(v *[4]uint64, m uint64) {
	v[3] ^= m
	rounds(v, 2)
	v[0] ^= m
}

func rounds(v *[4]uint64, n int) {
	for range n {
		v[0] += v[1]
		v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
		v[0] = bits.RotateLeft64(v[0], 32)
		v[2] += v[3]
		v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
		v[0] += v[3]
		v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
		v[2] += v[1]
		v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
		v[2] = bits.RotateLeft64(v[2], 32)
	}
}
