package ipv4

import (
	"syscall"
	"time"

	"tunstack/internal/gso"
	"tunstack/internal/packet"
	"tunstack/ip"
)

// segmentLen returns the size in bytes of the datagrams into which a super-packet is split, or 0 if its headers do not agree
// with its offload request.
func segmentLen(h *Header, p *packet.Buffer) int {
	transport := gso.TransportLen(p.Bytes()[h.Len():], p.Offload.Segmentation, h.Protocol)
	if transport == 0 || p.Offload.Size == 0 {
		return 0
	}
	return min(p.Len(), h.Len()+transport+int(p.Offload.Size))
}

// emitSuper is emit for a super-packet.
func (s *Stack) emitSuper(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	size := segmentLen(h, p)
	switch {
	case size == 0 || h.DF && size > to.MTU:
		p.Free()
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	case size == p.Len():
		p.Offload.Segmentation = packet.SegmentNone
		return s.emit(now, to, h, p)
	case size <= to.MTU && to.Out.Features().Splits(p):
		return to.Out.Transmit(now, p, to.NextHop)
	}
	return s.segment(now, to, h, p)
}

// segment splits a super-packet in software and sends the segments, for a link without that feature. It takes p over.
func (s *Stack) segment(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	defer p.Free()
	part := *h
	cut, ok := gso.Cut(p, 0)
	if !ok {
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	}
	for b := cut.Next(); b != nil; b = cut.Next() {
		part.TotalLen = b.Len()
		if err := s.emit(now, to, &part, b); err != nil {
			return err
		}
		part.ID++
	}
	return nil
}
