package ipv6

import (
	"syscall"
	"time"

	"tunstack/internal/gso"
	"tunstack/internal/packet"
	"tunstack/ip"
)

// extend puts the extension headers of o in front of the transport message p, in the order of RFC 8200 section 4.1, and returns the
// Buffer that now holds it. Afterwards h describes the headers that every fragment repeats.
func (h *Header) extend(o *ip.Outgoing6, p *packet.Buffer) *packet.Buffer {
	n := o.ExtensionsLen()
	q := packet.New(n + p.Len())
	q.Queue, q.Offload = p.Queue, p.Offload
	q.Offload.Start += uint16(n)
	next := &h.Protocol // the Next Header field before the header to be added
	last := h.Protocol
	for _, x := range [...]struct {
		protocol uint8
		header   []byte
		repeated bool
	}{
		{NextHopByHop, o.HopByHop, true}, {NextDestination, o.RoutingDstOpts, true}, {NextRouting, o.Routing, true},
		{NextDestination, o.DestinationOpts, false},
	} {
		if len(x.header) == 0 {
			continue
		}
		*next = x.protocol
		b := q.Extend(len(x.header))
		copy(b, x.header)
		next = &b[0]
		if x.repeated {
			h.NextField = h.HeaderLen
			h.HeaderLen += len(x.header)
		}
	}
	*next = last
	p.CopyAt(q.Extend(p.Len()), 0)
	p.Free()
	return q
}

// sendSegments is Send for a super-packet that is to leave with extension headers, with which no link segments: it splits the
// super-packet first. It takes p over.
func (s *Stack) sendSegments(now time.Duration, r *ip.Route, o ip.Outgoing, p *packet.Buffer) error {
	defer p.Free()
	h := Header{Datagram: ip.Datagram{Protocol: o.Protocol, Src: r.Src, Dst: r.Dst, TotalLen: HeaderLen + p.Len()}}
	h.put(p.Prepend(HeaderLen))
	cut, ok := gso.Cut(p, 0)
	if !ok {
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	}
	for b := cut.Next(); b != nil; b = cut.Next() {
		b.TrimFront(HeaderLen)
		b.Offload.Start -= HeaderLen
		if err := s.Send(now, r, o, b); err != nil {
			return err
		}
	}
	return nil
}
