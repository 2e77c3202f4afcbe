// Package gso does in software the work of network cards on super-packets: a Segmenter cuts one into ordinary packets (TSO,
// USO), and Join makes one from consecutive TCP segments (generic receive offload), the inverse.
//
// Both take IPv4 and IPv6 packets, IPv6 ones only without extension headers. A value of type family holds the differences
// between the families.
package gso

import (
	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

const (
	tcpHeaderLen = 20 // without options
	udpHeaderLen = 8

	tcpChecksum = 16 // offset of the checksum field
	udpChecksum = 6

	protocolTCP = 6
	protocolUDP = 17

	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpACK = 0x10
	tcpCWR = 0x80
)

// TransportLen returns the length of the header at the start of b, the transport header of a super-packet of the given kind and IP
// protocol, or 0 if kind and protocol do not agree or the header is not whole.
func TransportLen(b []byte, kind packet.Segmentation, protocol uint8) int {
	n := 0
	switch {
	case kind == packet.SegmentUDP && protocol == protocolUDP:
		n = udpHeaderLen
	case kind == packet.SegmentTCP && protocol == protocolTCP && len(b) >= tcpHeaderLen:
		if n = int(b[12]>>4) * 4; n < tcpHeaderLen {
			return 0
		}
	}
	if n > len(b) {
		return 0
	}
	return n
}

// askChecksum leaves the transport checksum of p, whose field is at offset in its header, to the sender of p.
func askChecksum(f *family, p *packet.Buffer, network, transport, offset int) {
	b := p.Bytes()
	ip, h := b[network:], b[transport:]
	checksum.Put(h[offset:], checksum.PseudoOf(f.addressesOf(ip), f.protocolOf(ip), len(h)))
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: uint16(transport - network), Offset: uint16(offset)}
}
