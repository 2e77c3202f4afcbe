package ipv4

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"tunstack/internal/siphash"
)

// identifications chooses the ID field of datagrams that may be fragmented. For each source, destination and protocol the IDs
// run through a permutation of all 65,536 values, so no value repeats within that many datagrams (RFC 6864 section 4.3). The
// permutation is keyed, so one destination cannot infer the IDs of another (RFC 6274 section 3.5).
type identifications struct {
	key      siphash.Key
	counters [1024]atomic.Uint32 // shared by the flows with equal hashes
}

func (g *identifications) init(secret [16]byte) {
	g.key = siphash.NewKey(secret)
}

func (g *identifications) next(src, dst netip.Addr, protocol uint8) uint16 {
	s, d := src.As4(), dst.As4()
	addresses := uint64(binary.BigEndian.Uint32(s[:]))<<32 | uint64(binary.BigEndian.Uint32(d[:]))
	flow := g.key.Sum(addresses, uint64(protocol))
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
