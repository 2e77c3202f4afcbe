package tun

import (
	"encoding/binary"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

const (
	ipv4HeaderLen = 20
	tcpHeaderLen  = 20
	udpHeaderLen  = 8

	protocolTCP = 6
	protocolUDP = 17

	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpCWR = 0x80
)

// segmenter cuts a TCP or UDP super-packet over IPv4 into ordinary packets, as a network card does, one after the
// other. Their transport checksums are left partial.
type segmenter struct {
	source    *packet.Buffer
	ip        int       // where the IP header starts
	transport int       // where the TCP or UDP header starts
	payload   int       // where the payload starts
	size      int       // payload octets per packet
	rest      [3][]byte // of the payload
	left      int       // octets of that
	offset    int       // payload octets cut so far
	count     uint16
}

// newSegmenter prepares to cut p, which stays the caller's and is not changed. linkLen octets of link header precede the IP
// header; no header is borrowed. It is false for a packet whose headers do not agree with its offload request.
func newSegmenter(p *packet.Buffer, linkLen int) (segmenter, bool) {
	b := p.Bytes()
	s := segmenter{source: p, ip: linkLen, size: int(p.Offload.Size)}
	if len(b) < linkLen+ipv4HeaderLen || b[linkLen]>>4 != 4 || s.size == 0 {
		return s, false
	}
	s.transport = s.ip + int(b[s.ip]&0xf)*4
	protocol := b[s.ip+9]
	switch {
	case p.Offload.Segmentation == packet.SegmentTCP && protocol == protocolTCP && len(b) >= s.transport+tcpHeaderLen:
		s.payload = s.transport + int(b[s.transport+12]>>4)*4
		return s, s.transport >= s.ip+ipv4HeaderLen && s.payload >= s.transport+tcpHeaderLen && s.begin()
	case p.Offload.Segmentation == packet.SegmentUDP && protocol == protocolUDP && len(b) >= s.transport+udpHeaderLen:
		s.payload = s.transport + udpHeaderLen
		return s, s.transport >= s.ip+ipv4HeaderLen && s.begin()
	}
	return s, false
}

// begin finds the payload, part of which may be borrowed.
func (s *segmenter) begin() bool {
	b, spans := s.source.Bytes(), s.source.Spans()
	if s.payload > len(b) {
		return false
	}
	s.rest = [...][]byte{b[s.payload:], spans[0], spans[1]}
	s.left = s.source.Len() - s.payload
	return true
}

// take fills p with payload.
func (s *segmenter) take(p []byte) {
	s.left -= len(p)
	for i := range s.rest {
		n := copy(p, s.rest[i])
		s.rest[i], p = s.rest[i][n:], p[n:]
	}
}

// next returns the next packet, which the caller owns, or nil after the last.
func (s *segmenter) next() *packet.Buffer {
	if s.left == 0 && s.count > 0 {
		return nil
	}
	n := min(s.size, s.left)
	q := packet.New(s.payload + n)
	copy(q.Extend(s.payload), s.source.Bytes())
	s.take(q.Extend(n))
	q.Cast, q.Queue = s.source.Cast, s.source.Queue

	s.fixIP(q.Bytes()[s.ip:])
	h := q.Bytes()[s.transport:]
	if s.source.Offload.Segmentation == packet.SegmentTCP {
		s.fixTCP(h, s.left == 0)
		askChecksum(q, s.ip, s.transport, protocolTCP, 16)
	} else if s.fixUDP(h) {
		askChecksum(q, s.ip, s.transport, protocolUDP, 6)
	}
	s.offset += n
	s.count++
	return q
}

// fixIP sets the length, an identification of its own and the header checksum.
func (s *segmenter) fixIP(ip []byte) {
	h := ip[:s.transport-s.ip]
	binary.BigEndian.PutUint16(h[4:], binary.BigEndian.Uint16(h[4:])+s.count)
	putLength(ip, len(h))
}

// putLength sets the length of an IP datagram with a header of n octets, and the header's checksum.
func putLength(ip []byte, n int) {
	h := ip[:n]
	binary.BigEndian.PutUint16(h[2:], uint16(len(ip)))
	checksum.Put(h[10:], 0)
	checksum.Put(h[10:], ^checksum.Sum(h, 0))
}

// fixTCP moves the sequence number on. FIN and PSH are about the last octet and stay with it; CWR is said once (RFC 3168
// section 6.1.2), with the first.
func (s *segmenter) fixTCP(h []byte, last bool) {
	binary.BigEndian.PutUint32(h[4:], binary.BigEndian.Uint32(h[4:])+uint32(s.offset))
	if !last {
		h[13] &^= tcpFIN | tcpPSH
	}
	if s.count > 0 {
		h[13] &^= tcpCWR
	}
}

// fixUDP sets the datagram's length. It is false for a datagram sent without a checksum, which stays without (RFC 768).
func (s *segmenter) fixUDP(h []byte) bool {
	binary.BigEndian.PutUint16(h[4:], uint16(len(h)))
	return s.source.Offload.Checksum == packet.ChecksumPartial || binary.BigEndian.Uint16(h[6:]) != 0
}

// askChecksum leaves p's transport checksum, whose field is at offset in its header, to whoever sends it.
func askChecksum(p *packet.Buffer, network, transport int, protocol uint8, offset int) {
	ip, h := p.Bytes()[network:], p.Bytes()[transport:]
	checksum.Put(h[offset:], checksum.PseudoOf(ip[12:20], protocol, len(h)))
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: uint16(transport - network), Offset: uint16(offset)}
}
