package ipv4

import (
	"encoding/binary"
	"syscall"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

// takes says whether the link splits the super-packet p itself.
func (i *Interface) takes(p *packet.Buffer) bool {
	limit := i.features.TSO
	if p.Offload.Segmentation == packet.SegmentUDP {
		limit = i.features.USO
	}
	return p.Len() <= limit
}

// transportLen is the length of the transport header of a super-packet, 0 if it is not all there.
func transportLen(h *Header, p *packet.Buffer) int {
	b := p.Bytes()[h.Len():]
	n := 8
	if p.Offload.Segmentation == packet.SegmentTCP {
		if len(b) < 20 {
			return 0
		}
		n = int(b[12]>>4) * 4
		if n < 20 {
			return 0
		}
	}
	if len(b) < n {
		return 0
	}
	return n
}

// segmentLen is the size in octets of the datagrams that a super-packet stands for.
func segmentLen(h *Header, p *packet.Buffer) int {
	return min(p.Len(), h.Len()+transportLen(h, p)+int(p.Offload.Size))
}

// segment splits a super-packet in software and sends the parts, for a link that does not do it. It takes p over.
func (s *Stack) segment(now time.Duration, to *path, h *Header, p *packet.Buffer) error {
	defer p.Free()
	n := h.Len() + transportLen(h, p)
	if n == h.Len() || p.Offload.Size == 0 || h.DF && segmentLen(h, p) > to.mtu {
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	}
	head := p.Bytes()[:n]
	payload := payloadOf(p, n)
	part := *h
	for offset, total := 0, p.Len()-n; offset < total; offset += int(p.Offload.Size) {
		size := min(total-offset, int(p.Offload.Size))
		b := packet.New(n + size)
		b.Cast, b.Queue = p.Cast, p.Queue
		copy(b.Extend(n), head)
		payload.fill(b.Extend(size))
		part.TotalLen = uint16(n + size)
		part.put(b.Bytes()[:h.Len()])
		transport := b.Bytes()[h.Len():]
		if p.Offload.Segmentation == packet.SegmentTCP {
			adjustTCP(transport, offset, offset+size == total)
		} else {
			binary.BigEndian.PutUint16(transport[4:], uint16(len(transport)))
		}
		completeTransport(h, transport, p.Offload.Segmentation)
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

func completeTransport(h *Header, b []byte, kind packet.Segmentation) {
	field := b[16:18]
	if kind == packet.SegmentUDP {
		field = b[6:8]
	}
	field[0], field[1] = 0, 0
	sum := ^checksum.Sum(b, checksum.Pseudo(h.Src.As4(), h.Dst.As4(), h.Protocol, len(b)))
	if sum == 0 && kind == packet.SegmentUDP {
		sum = 0xffff // RFC 768: zero means that there is none
	}
	checksum.Put(field, sum)
}
