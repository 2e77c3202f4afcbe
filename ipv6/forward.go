package ipv6

import (
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// forward forwards a datagram for another host. It does not process the extension headers (RFC 8200 section 4; a router may
// ignore the Hop-by-Hop Options, too). It returns the reason for dropping the datagram, or nil when it has taken p over. The
// caller excludes multicasts.
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
	if s.shared.SendRedirects && to.Out == h.In {
		s.redirectSender(now, &to, h, p)
	}
	p.Bytes()[hopLimitField]--
	s.pass(now, &to, h, p)
	return nil
}

// redirectSender sends a Redirect to a neighbour about the better first hop (RFC 4861 section 8.2): a router, by its link-local address, or the
// destination itself.
func (s *Stack) redirectSender(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) {
	hop := to.Out.Scoped(to.NextHop)
	if to.Out.OnLink(h.Src) && (ip.IsLinkLocal6(hop) || hop == h.Dst) {
		s.Report(now, ip.Error{Kind: ip.Redirect, Gateway: hop}, &h.Datagram, p)
	}
}

// wireLen is the size of a datagram on the wire; that of a super-packet is the size of its segments.
func wireLen(h *Header, p *packet.Buffer) int {
	if p.Offload.Segmentation != packet.SegmentNone {
		return segmentLen(h, p)
	}
	return p.Len()
}

// pass sends a transit datagram. If the next hop is known to be dead, pass reports an error that quotes the copied start of p.
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
