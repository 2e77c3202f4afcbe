package ipv6

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"tunstack/internal/packet"
	"tunstack/internal/siphash"
	"tunstack/ip"
)

// flowLabel is the label of the flow along r that p belongs to; p starts at its transport header. It depends on the addresses,
// the protocol and the ports, if there are any (RFC 6437 section 3). The addresses are hashed with a key, so that the label of
// one flow does not reveal those of others. A label that the sender has chosen takes precedence.
func (s *Stack) flowLabel(r *ip.Route, o *ip.Outgoing, p *packet.Buffer) uint32 {
	switch {
	case o.V6 != nil && (o.V6.FlowLabel != 0 || o.V6.NoFlowLabel):
		return o.V6.FlowLabel
	case s.cfg.NoFlowLabels:
		return 0
	}
	protocol := o.Protocol
	flow := uint64(protocol) << 32
	if b := p.Bytes(); len(b) >= 4 && (protocol == ip.ProtocolTCP || protocol == ip.ProtocolUDP) {
		flow |= uint64(binary.BigEndian.Uint32(b))
	}
	flow ^= uint64(r.Hash())
	flow = (flow ^ flow>>33) * 0xff51afd7ed558ccd // the finalizer of MurmurHash3
	flow = (flow ^ flow>>33) * 0xc4ceb9fe1a85ec53
	return max(uint32(flow>>44), 1)
}

// identifications chooses the Identification of fragmented datagrams. For each source and destination it runs through a
// permutation of all values, so that no value repeats within 2^32 datagrams (RFC 8200 section 4.5). The permutation is keyed,
// so one destination cannot infer the values for another (RFC 7739 section 5.3).
type identifications struct {
	key      siphash.Key
	counters [1024]atomic.Uint32 // shared by the flows with equal hashes
}

func (g *identifications) next(src, dst netip.Addr) uint32 {
	flow := g.key.Addrs(src, dst)
	n := g.counters[flow%uint64(len(g.counters))].Add(1)
	return permute(flow, n)
}

// permute is a Feistel network of four rounds, each keyed with 16 bits of key: a bijection on 32-bit values.
func permute(key uint64, v uint32) uint32 {
	left, right := uint16(v>>16), uint16(v)
	for round := range 4 {
		k := uint32(key >> (16 * round) & 0xffff)
		f := (uint32(right)*0x9e3779b1 ^ k*0x85ebca6b) * 0xc2b2ae35
		left, right = right, left^uint16(f>>16)
	}
	return uint32(left)<<16 | uint32(right)
}
