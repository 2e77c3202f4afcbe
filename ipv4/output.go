package ipv4

import (
	"encoding/binary"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// Send sends p along r with the fields of o (ip.Family; see ip.Stack.Send).
func (s *Stack) Send(now time.Duration, r *ip.Route, o ip.Outgoing, p *packet.Buffer) error {
	to := r.Path()
	if to.Err != nil {
		return s.refuse(p, to.Err)
	}
	var out Header
	out.TOS, out.TTL, out.Protocol, out.Src, out.Dst, out.DF = o.TOS, o.TTL, o.Protocol, r.Src, r.Dst, o.DontFragment && !to.NoDF
	if len(o.Options) > 0 {
		var err error
		if to, err = s.applyOptions(&out, o.Options, to); err != nil {
			return s.refuse(p, err)
		}
	}
	switch {
	case out.TTL != 0:
	case to.Cast == packet.Multicast:
		out.TTL = 1 // RFC 1112 section 6.1
	default:
		out.TTL = s.shared.TTL
	}
	if !out.DF {
		out.ID = s.ids.next(out.Src, out.Dst, out.Protocol)
	}
	n := out.Len()
	if n+p.Len() > MaxDatagram {
		return s.refuse(p, syscall.EMSGSIZE)
	}
	out.TotalLen = n + p.Len()
	out.put(p.Prepend(n))
	p.Offload.Start += uint16(n)
	p.Cast = to.Cast
	if out.DF && out.Protocol != ip.ProtocolTCP { // TCP checks an error against its segments in flight
		s.ip.NoteSent(now, out.Src, out.Dst, out.Protocol, n, p)
	}
	s.stats.OutPackets.Inc()
	return s.emit(now, to, &out, p)
}

// refuse drops a datagram and returns the error to its sender.
func (s *Stack) refuse(p *packet.Buffer, err error) error {
	p.Free()
	s.stats.DropOutput.Inc()
	return err
}

// emit sends a complete datagram, whose header is also in h, whole, segmented or fragmented.
func (s *Stack) emit(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	switch {
	case p.Offload.Segmentation != packet.SegmentNone:
		return s.emitSuper(now, to, h, p)
	case p.Len() <= to.MTU:
		return to.Out.Transmit(now, p, to.NextHop)
	case h.DF:
		p.Free()
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	}
	return s.fragment(now, to, h, p)
}

// SendRaw sends p, which starts with an IP header made by the caller, along r (ip.Family; see ip.Stack.SendRaw). It fills in
// Total Length and checksum, and the source and the identification if they are zero.
func (s *Stack) SendRaw(now time.Duration, r *ip.Route, p *packet.Buffer) error {
	to := r.Path()
	if to.Err != nil {
		return s.refuse(p, to.Err)
	}
	p = p.Own()
	b := p.Bytes()
	var h Header
	switch {
	case !h.Parse(b):
		return s.refuse(p, syscall.EINVAL)
	case p.Len() > to.Out.MTU():
		return s.refuse(p, syscall.EMSGSIZE)
	}
	if h.Src.IsUnspecified() {
		src := r.Src.As4()
		copy(b[12:], src[:])
	}
	if h.ID == 0 {
		binary.BigEndian.PutUint16(b[4:], s.ids.next(r.Src, h.Dst, h.Protocol))
	}
	binary.BigEndian.PutUint16(b[2:], uint16(p.Len()))
	putChecksum(b[:h.Len()])
	if h.Parse(b); h.DF {
		s.ip.NoteSent(now, h.Src, h.Dst, h.Protocol, h.Len(), p)
	}
	p.Cast = to.Cast
	s.stats.OutPackets.Inc()
	return to.Out.Transmit(now, p, to.NextHop)
}
