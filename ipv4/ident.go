package ipv4

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// identifications chooses the ID field of datagrams that may be fragmented. For each source, destination and protocol the IDs
// run through a permutation of all 65,536 values, so no value repeats within that many datagrams (RFC 6864 section 4.3). The
// permutation is keyed, so one destination cannot infer the IDs of another (RFC 6274 section 3.5).
type identifications struct {
	key      [2]uint64
	counters [1024]atomic.Uint32 // shared by the flows with equal hashes
}

func (g *identifications) init(secret [16]byte) {
	g.key = [2]uint64{binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])}
}

func (g *identifications) next(src, dst netip.Addr, protocol uint8) uint16 {
	s, d := src.As4(), dst.As4()
	addresses := uint64(binary.BigEndian.Uint32(s[:]))<<32 | uint64(binary.BigEndian.Uint32(d[:]))
	flow := sipHash(g.key, addresses, uint64(protocol))
	n := g.counters[flow%uint64(len(g.counters))].Add(1)
	return permute(flow, uint16(n))
}

// permute is a Feistel network of four rounds, each keyed with 16 bits of key: a bijection on 16-bit values.
func permute(key uint64, v uint16) uint16 {
	left, right := uint8(v>>8), uint8(v)
	for round := range 4 {
		k := uint32(key >> (16 * round) & 0xffff)
		f := (uint32(right)*0x9e3779b1 ^ k*0x85ebca6b) * 0xc2b2ae35
		left, right = right, left^uint8(f>>24)
	}
	return uint16(left)<<8 | uint16(right)
}

// sipHash is SipHash-2-4 of two words (Aumasson and Bernstein, 2012).
func sipHash(key [2]uint64, a, b uint64) uint64 {
	v := [4]uint64{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573}
	for _, m := range [...]uint64{a, b, 16 << 56} {
		v[3] ^= m
		sipRounds(&v, 2)
		v[0] ^= m
	}
	v[2] ^= 0xff
	sipRounds(&v, 4)
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

func sipRounds(v *[4]uint64, n int) {
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
