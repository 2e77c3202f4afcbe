package ipv6

import (
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// forward passes on a datagram for another host. It leaves the extension headers alone (RFC 8200 section 4; the Hop-by-Hop Options, which a
// router may ignore, too). It returns the reason for dropping the datagram, or nil when it has taken p over. Multicasts do not come here.
func (s *Stack) forward(now time.Duration, h *Header, p *packet.Buffer) *stats.Counter {
	if ip.FormOf(h.Src) != ip.FormHost || ip.FormOf(h.Dst) != ip.FormHost || ip.IsLinkLocal6(h.Dst) {
		return &s.stats.DropMartian
	}
	if h.TTL <= 1 {
		s.Report(now, ip.Error{Kind: ip.TTLExceeded}, &h.Datagram, p)
		return &s.stats.DropHopLimit
	}
	to, err := s.ip.NextHop(h.Dst)
	if err != nil {
		s.Report(now, ip.Error{Kind: ip.NetUnreachable}, &h.Datagram, p)
		return &s.stats.DropNoRoute
	}
	if ip.IsLinkLocal6(h.Src) && to.Out != h.In {
		s.Report(now, ip.Error{Kind: ip.BeyondScope}, &h.Datagram, p)
		return &s.stats.DropScope
	}
	if wireLen(h, p) > to.MTU {
		s.Report(now, ip.Error{Kind: ip.TooBig, MTU: to.MTU}, &h.Datagram, p)
		return &s.stats.DropTooBig
	}
	p.Bytes()[hopLimitField]--
	s.pass(now, &to, h, p)
	return nil
}

// wireLen is how large a datagram is on the wire, where a super-packet travels in segments.
func wireLen(h *Header, p *packet.Buffer) int {
	if p.Offload.Segmentation != packet.SegmentNone {
		return segmentLen(h, p)
	}
	return p.Len()
}

// pass sends a transit datagram on. A next hop that is known to be dead draws an error about what of p was kept for it.
func (s *Stack) pass(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) {
	var start [HeaderLen + 8]byte
	n := copy(start[:], p.Bytes())
	s.stats.Forwarded.Inc()
	p.Cast = packet.Unicast
	if p.Offload.Checksum == packet.ChecksumValid {
		p.Offload.Checksum = packet.ChecksumNone
	}
	if s.emit(now, to, h, p, false) != syscall.EHOSTUNREACH {
		return
	}
	quote := packet.From(start[:n])
	s.ip.ReportUnreachable(now, &h.Datagram, quote)
	quote.Free()
}
