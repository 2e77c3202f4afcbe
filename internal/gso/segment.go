package gso

import (
	"encoding/binary"

	"tunstack/internal/packet"
)

// Segmenter cuts a TCP or UDP super-packet into ordinary packets, one after the other. Their transport checksums are left partial.
//
//	            network    transport  payload
//	+-----------+----------+----------+-------------------------------+
//	| link      | IP       | TCP, UDP | size | size | ... | the rest  |
//	+-----------+----------+----------+-------------------------------+
//	the headers are copied to each packet; the payload may be borrowed
type Segmenter struct {
	source    *packet.Buffer
	family    *family
	network   int       // where the IP header starts
	transport int       // where the TCP or UDP header starts
	payload   int       // where the payload starts
	size      int       // payload bytes per packet
	rest      [3][]byte // of the payload
	left      int       // bytes of the rest
	offset    int       // payload bytes cut so far
	count     uint16    // packets so far
}

// Cut prepares to cut p. The caller keeps p, which is not changed and must not be freed before the last packet is cut. network
// bytes of link header precede the IP header; no header is borrowed. Cut returns false for a packet whose headers do not agree
// with its offload request.
func Cut(p *packet.Buffer, network int) (Segmenter, bool) {
	b := p.Bytes()
	s := Segmenter{source: p, network: network, size: int(p.Offload.Size)}
	if len(b) < network || s.size == 0 {
		return s, false
	}
	h := b[network:]
	f, n := familyOf(h)
	if f == nil {
		return s, false
	}
	s.family = f
	m := TransportLen(h[n:], p.Offload.Segmentation, f.protocolOf(h))
	s.transport, s.payload = network+n, network+n+m
	spans := p.Spans()
	s.rest = [...][]byte{b[s.payload:], spans[0], spans[1]}
	s.left = p.Len() - s.payload
	return s, m > 0
}

// Next returns the next packet, which the caller owns, or nil after the last one. A super-packet without payload yields one
// packet.
func (s *Segmenter) Next() *packet.Buffer {
	if s.left == 0 && s.count > 0 {
		return nil
	}
	n := min(s.size, s.left)
	q := packet.New(s.payload + n)
	copy(q.Extend(s.payload), s.source.Bytes())
	s.take(q.Extend(n))
	q.Cast, q.Queue = s.source.Cast, s.source.Queue

	b := q.Bytes()
	s.family.seal(b[s.network:], s.transport-s.network, s.count)
	if s.source.Offload.Segmentation == packet.SegmentTCP {
		s.adjustTCP(b[s.transport:])
		askChecksum(s.family, q, s.network, s.transport, tcpChecksum)
	} else if s.adjustUDP(b[s.transport:]) {
		askChecksum(s.family, q, s.network, s.transport, udpChecksum)
	}
	s.offset += n
	s.count++
	return q
}

// take fills p with payload.
func (s *Segmenter) take(p []byte) {
	s.left -= len(p)
	for i := range s.rest {
		n := copy(p, s.rest[i])
		s.rest[i], p = s.rest[i][n:], p[n:]
	}
}

// adjustTCP advances the sequence number. FIN and PSH concern the last byte and stay with it; CWR is sent once, with the first
// segment (RFC 3168 section 6.1.2).
func (s *Segmenter) adjustTCP(h []byte) {
	binary.BigEndian.PutUint32(h[4:], binary.BigEndian.Uint32(h[4:])+uint32(s.offset))
	if s.left > 0 {
		h[13] &^= tcpFIN | tcpPSH
	}
	if s.count > 0 {
		h[13] &^= tcpCWR
	}
}

// adjustUDP sets the datagram's length. It returns false for a datagram sent without a checksum, which stays without one (RFC
// 768).
func (s *Segmenter) adjustUDP(h []byte) bool {
	binary.BigEndian.PutUint16(h[4:], uint16(len(h)))
	return s.source.Offload.Checksum == packet.ChecksumPartial || binary.BigEndian.Uint16(h[udpChecksum:]) != 0
}
