package ipv4

import (
	"encoding/binary"
	"syscall"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
)

// takes says whether a link with the features f splits the super-packet p itself.
func takes(f packet.Features, p *packet.Buffer) bool {
	limit := f.TSO
	if p.Offload.Segmentation == packet.SegmentUDP {
		limit = f.USO
	}
	return p.Len() <= limit
}

// transportLen is the length of the transport header of a super-packet, 0 if it is not all there.
func transportLen(h *Header, p *packet.Buffer) int {
	b := p.Bytes()[h.Len():]
	n := 0
	switch {
	case p.Offload.Segmentation == packet.SegmentUDP && h.Protocol == ip.ProtocolUDP:
		n = 8
	case p.Offload.Segmentation == packet.SegmentTCP && h.Protocol == ip.ProtocolTCP && len(b) >= 20:
		n = max(int(b[12]>>4)*4, 20)
	}
	if n > len(b) {
		return 0
	}
	return n
}

// segmentLen is the size in octets of the datagrams that a super-packet stands for.
func segmentLen(h *Header, p *packet.Buffer) int {
	return min(p.Len(), h.Len()+transportLen(h, p)+int(p.Offload.Size))
}

// emitSuper is emit for a super-packet.
func (s *Stack) emitSuper(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	size := segmentLen(h, p)
	switch {
	case transportLen(h, p) == 0 || p.Offload.Size == 0 || h.DF && size > to.MTU:
		p.Free()
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	case size == p.Len():
		p.Offload.Segmentation = packet.SegmentNone
		return s.emit(now, to, h, p)
	case size <= to.MTU && takes(to.Out.Features(), p):
		return to.Out.Transmit(now, p, to.NextHop)
	}
	return s.segment(now, to, h, p)
}

// segment splits a super-packet in software and sends the parts, for a link that does not do it. It takes p over.
func (s *Stack) segment(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	defer p.Free()
	n := h.Len() + transportLen(h, p)
	payload := payloadOf(p, n)
	part := *h
	for offset, total := 0, p.Len()-n; offset < total; offset += int(p.Offload.Size) {
		size := min(total-offset, int(p.Offload.Size))
		b := packet.New(n + size)
		b.Cast, b.Queue = p.Cast, p.Queue
		copy(b.Extend(n), p.Bytes())
		payload.fill(b.Extend(size))
		part.TotalLen = n + size
		part.put(b.Bytes()[:h.Len()])
		transport := b.Bytes()[h.Len():]
		if h.Protocol == ip.ProtocolTCP {
			adjustTCP(transport, offset, offset+size == total)
			askChecksum(h, b)
		} else if adjustUDP(transport, p.Offload.Checksum) {
			askChecksum(h, b)
		}
		if err := s.emit(now, to, &part, b); err != nil {
			return err
		}
		part.ID++
	}
	return nil
}

// adjustTCP makes the copied header of a super-segment that of the segment at offset: FIN and PSH belong to the last one,
// CWR to the first (RFC 3168 section 6.1.2).
func adjustTCP(b []byte, offset int, last bool) {
	const fin, psh, cwr = 0x01, 0x08, 0x80
	binary.BigEndian.PutUint32(b[4:], binary.BigEndian.Uint32(b[4:])+uint32(offset))
	if !last {
		b[13] &^= fin | psh
	}
	if offset > 0 {
		b[13] &^= cwr
	}
}

// adjustUDP sets the length, and says whether the datagram has a checksum (RFC 768: zero means that there is none).
func adjustUDP(b []byte, c packet.Checksum) bool {
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return c == packet.ChecksumPartial || b[6]|b[7] != 0
}

// askChecksum leaves the transport checksum of p, a datagram with header h, to the link.
func askChecksum(h *Header, p *packet.Buffer) {
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: uint16(h.Len()), Offset: 16}
	if h.Protocol == ip.ProtocolUDP {
		p.Offload.Offset = 6
	}
	transport := p.Bytes()[h.Len():]
	checksum.Put(transport[p.Offload.Offset:], h.PseudoSum(len(transport)))
}
