package ipv6

import (
	"encoding/binary"
	"syscall"
	"time"

	"tunstack/internal/gso"
	"tunstack/internal/packet"
	"tunstack/ip"
)

// Send sends p along r with the fields of o (ip.Family; see ip.Stack.Send). Datagrams larger than the path MTU leave in fragments,
// unless o.DontFragment is set (IPV6_DONTFRAG).
func (s *Stack) Send(now time.Duration, r *ip.Route, o ip.Outgoing, p *packet.Buffer) error {
	to, extensions := r.Path(), o.V6.ExtensionsLen()
	switch {
	case to.Err != nil:
		return s.refuse(p, to.Err)
	case p.Offload.Segmentation != packet.SegmentNone && extensions > 0:
		return s.sendSegments(now, r, o, p)
	case p.Len()+extensions > MaxPayload:
		return s.refuse(p, syscall.EMSGSIZE)
	}
	var out Header
	out.TOS, out.TTL, out.Protocol, out.Src, out.Dst = o.TOS, o.TTL, o.Protocol, r.Src, r.Dst
	out.FlowLabel = s.flowLabel(r, &o, p)
	switch {
	case out.TTL != 0 || o.V6 != nil && o.V6.NoHops:
	case to.Cast == packet.Multicast:
		out.TTL = 1 // RFC 3493 section 5.2
	default:
		out.TTL = to.Out.CurHopLimit()
	}
	out.HeaderLen, out.NextField = HeaderLen, nextHeaderField
	if extensions > 0 {
		p = out.extend(o.V6, p)
	}
	out.TotalLen = HeaderLen + p.Len()
	out.put(p.Prepend(HeaderLen))
	p.Offload.Start += HeaderLen
	p.Cast = to.Cast
	if o.Protocol != ip.ProtocolTCP { // TCP checks an error against its segments in flight, and cuts them by the path MTU
		s.ip.NoteSent(now, r.Src, r.Dst, o.Protocol, HeaderLen+extensions, p)
		to = limited(to, o.V6)
	}
	s.stats.OutPackets.Inc()
	return s.emit(now, to, &out, p, !o.DontFragment)
}

// limited returns the path with the MTU that the options of a socket choose.
func limited(to *ip.Path, o *ip.Outgoing6) *ip.Path {
	if o == nil || o.MTU == 0 && !o.LinkMTU {
		return to
	}
	p := *to
	if o.LinkMTU {
		p.MTU = p.Out.MTU()
	}
	if o.MTU != 0 {
		p.MTU = min(p.MTU, o.MTU)
	}
	return &p
}

// refuse drops a datagram and returns the error to its sender.
func (s *Stack) refuse(p *packet.Buffer, err error) error {
	p.Free()
	s.stats.DropOutput.Inc()
	return err
}

// emit sends a complete datagram, whose header is also in h, whole, segmented or, if fragment allows that, in fragments.
func (s *Stack) emit(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer, fragment bool) error {
	switch {
	case p.Offload.Segmentation != packet.SegmentNone:
		return s.emitSuper(now, to, h, p, fragment)
	case p.Len() <= to.MTU:
		return to.Out.Transmit(now, p, to.NextHop)
	case !fragment:
		return s.tooBig(p)
	}
	return s.fragment(now, to, h, p)
}

func (s *Stack) tooBig(p *packet.Buffer) error {
	p.Free()
	s.stats.DropTooBig.Inc()
	return syscall.EMSGSIZE
}

// fragment sends the datagram p in fragments of at most to.MTU bytes, each with the headers in the first h.HeaderLen bytes, of which the
// last Next Header field is at h.NextField (RFC 8200 section 4.5). It takes p over.
func (s *Stack) fragment(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	defer p.Free()
	p.CompleteChecksum()
	headers := h.HeaderLen + fragmentHeaderLen
	if to.MTU < headers+8 {
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	}
	id := s.ids.next(h.Src, h.Dst)
	for at, end := h.HeaderLen, p.Len(); at < end; {
		size, more := min(end-at, to.MTU-headers), uint16(0)
		if at+size < end {
			size, more = size&^7, 1
		}
		b := packet.New(headers + size)
		b.Cast, b.Queue = p.Cast, p.Queue
		f := b.Extend(h.HeaderLen)
		p.CopyAt(f, 0)
		binary.BigEndian.PutUint16(f[payloadLenField:], uint16(headers+size-HeaderLen))
		x := b.Extend(fragmentHeaderLen)
		x[0], x[1], f[h.NextField] = f[h.NextField], 0, NextFragment
		binary.BigEndian.PutUint16(x[2:], uint16(at-h.HeaderLen)|more)
		binary.BigEndian.PutUint32(x[4:], id)
		p.CopyAt(b.Extend(size), at)
		s.stats.FragmentsOut.Inc()
		if err := to.Out.Transmit(now, b, to.NextHop); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// segmentLen returns the size in bytes of the datagrams into which a super-packet is split, or 0 if its headers do not agree
// with its offload request.
func segmentLen(h *Header, p *packet.Buffer) int {
	transport := gso.TransportLen(p.Bytes()[h.HeaderLen:], p.Offload.Segmentation, h.Protocol)
	if transport == 0 || p.Offload.Size == 0 {
		return 0
	}
	return min(p.Len(), h.HeaderLen+transport+int(p.Offload.Size))
}

// emitSuper is emit for a super-packet.
func (s *Stack) emitSuper(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer, fragment bool) error {
	size := segmentLen(h, p)
	switch {
	case size == 0 || size > to.MTU && !fragment:
		return s.tooBig(p)
	case size == p.Len():
		p.Offload.Segmentation = packet.SegmentNone
		return s.emit(now, to, h, p, fragment)
	case size <= to.MTU && to.Out.Features().Splits(p):
		return to.Out.Transmit(now, p, to.NextHop)
	}
	return s.segment(now, to, h, p, fragment)
}

// segment splits a super-packet in software and sends the segments, for a link without that feature. It takes p over.
func (s *Stack) segment(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer, fragment bool) error {
	cut, ok := gso.Cut(p, 0)
	if !ok {
		return s.tooBig(p)
	}
	defer p.Free()
	part := *h
	for b := cut.Next(); b != nil; b = cut.Next() {
		part.TotalLen = b.Len()
		if err := s.emit(now, to, &part, b, fragment); err != nil {
			return err
		}
	}
	return nil
}

// SendRaw sends p, which starts with an IPv6 header made by the caller, along r (ip.Family; see ip.Stack.SendRaw). It fills in
// Payload Length, and the source if it is ::.
func (s *Stack) SendRaw(now time.Duration, r *ip.Route, p *packet.Buffer) error {
	to := r.Path()
	if to.Err != nil {
		return s.refuse(p, to.Err)
	}
	p = p.Own()
	b := p.Bytes()
	var h Header
	switch {
	case !h.parseFixed(b):
		return s.refuse(p, syscall.EINVAL)
	case p.Len() > to.Out.MTU():
		return s.refuse(p, syscall.EMSGSIZE)
	}
	if h.Src.IsUnspecified() {
		src := r.Src.As16()
		copy(b[8:], src[:])
	}
	binary.BigEndian.PutUint16(b[payloadLenField:], uint16(p.Len()-HeaderLen))
	if h.Parse(b) {
		s.ip.NoteSent(now, h.Src, h.Dst, h.Protocol, h.HeaderLen, p)
	}
	p.Cast = to.Cast
	s.stats.OutPackets.Inc()
	return to.Out.Transmit(now, p, to.NextHop)
}
