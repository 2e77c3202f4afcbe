package ipv4

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// forward forwards a datagram for another host (RFC 1812 section 5.2). It returns the reason for dropping it, or nil when it
// has taken p over. The caller excludes multicasts and broadcasts.
func (s *Stack) forward(now time.Duration, h *Header, p *packet.Buffer) *stats.Counter {
	if !forwardable(h.Src) || !forwardable(h.Dst) {
		return &s.stats.DropMartian
	}
	if h.TTL <= 1 {
		s.Report(now, ip.Error{Kind: ip.TTLExceeded}, &h.Datagram, p)
		return &s.stats.DropTTL
	}
	to, err := s.ip.NextHop(h.Dst)
	if err != nil {
		s.Report(now, ip.Error{Kind: ip.NetUnreachable}, &h.Datagram, p)
		return &s.stats.DropNoRoute
	}
	if h.DF && wireLen(h, p) > to.MTU {
		s.Report(now, ip.Error{Kind: ip.TooBig, MTU: to.MTU}, &h.Datagram, p)
		return &s.stats.DropTooBig
	}
	if s.shared.SendRedirects && to.Out == h.In {
		s.redirectSender(now, &to, h, p)
	}
	s.step(now, &to, h, p)
	s.pass(now, &to, h, p)
	return nil
}

// pass sends a transit datagram. If the next hop is known to be dead, pass reports an error that quotes the copied start of p.
func (s *Stack) pass(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) {
	var start [MaxHeaderLen + 8]byte
	n := copy(start[:], p.Bytes())
	s.stats.Forwarded.Inc()
	p.Cast = packet.Unicast
	if p.Offload.Checksum == packet.ChecksumValid {
		p.Offload.Checksum = packet.ChecksumNone
	}
	if s.emit(now, to, h, p) != syscall.EHOSTUNREACH {
		return
	}
	quote := packet.From(start[:n])
	h.Parse(quote.Bytes())
	s.ip.ReportUnreachable(now, &h.Datagram, quote)
	quote.Free()
}

// forwardable refuses martians (RFC 1812 section 5.3.7) and link-local addresses (RFC 3927 section 2.7).
func forwardable(a netip.Addr) bool { return ip.FormOf(a) == ip.FormHost && !a.IsLinkLocalUnicast() }

// wireLen is the size of a datagram on the wire; that of a super-packet is the size of its segments.
func wireLen(h *Header, p *packet.Buffer) int {
	if p.Offload.Segmentation != packet.SegmentNone {
		return segmentLen(h, p)
	}
	return p.Len()
}

// step changes the header as one hop does.
func (s *Stack) step(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) {
	b := p.Bytes()[:h.Len()]
	b[8]--
	h.TTL--
	if len(h.Options) > 0 {
		o, _ := scanOptions(h.Options)
		own := s.ip.SourceFor(to.Out, to.NextHop)
		if own.IsValid() {
			record(o.record, own)
			stamp(o.stamp, own, now)
		}
	}
	putChecksum(b)
}

// redirectSender sends a Redirect to a host on the arrival network about the better first hop (RFC 1812 section 5.2.7.2).
func (s *Stack) redirectSender(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) {
	if o, _ := scanOptions(h.Options); o.source != nil {
		return
	}
	if to.Out.OnLink(h.Src, to.NextHop) {
		s.Report(now, ip.Error{Kind: ip.Redirect, Gateway: to.NextHop}, &h.Datagram, p)
	}
}

// followSourceRoute forwards a datagram that reached this stack to the next hop of its source route (RFC 791 section 3.1). In a
// strict source route the next hop must be a neighbour.
func (s *Stack) followSourceRoute(now time.Duration, h *Header, p *packet.Buffer) *stats.Counter {
	o, _ := scanOptions(h.Options)
	next := netip.AddrFrom4([4]byte(o.source[o.source[2]-1:]))
	to, err := s.ip.NextHop(next)
	strict := o.source[0] == optionStrictSourceRoute
	if err != nil || to.Out.Loopback() || to.Cast != packet.Unicast || strict && to.NextHop != next {
		s.Report(now, ip.Error{Kind: ip.SourceRouteFailed}, &h.Datagram, p)
		return &s.stats.DropSourceRoute
	}
	own := s.ip.SourceFor(to.Out, to.NextHop)
	if !own.IsValid() {
		own = h.Dst
	}
	record(o.source, own)
	h.Dst = next
	dst := next.As4()
	copy(p.Bytes()[16:], dst[:])
	putChecksum(p.Bytes()[:h.Len()])
	return s.forward(now, h, p)
}
