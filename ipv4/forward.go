package ipv4

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// forward passes on a datagram for another host (RFC 1812 section 5.2). It returns the reason for dropping it, or nil
// when it has taken p over. Multicasts and broadcasts do not come here.
func (s *Stack) forward(now time.Duration, t *table, h *Header, p *packet.Buffer) *stats.Counter {
	if !forwardable(h.Src) || !forwardable(h.Dst) {
		return &s.stats.DropMartian
	}
	if h.TTL <= 1 {
		s.report(now, Error{Type: TimeExceeded, Code: CodeTTL}, h, p)
		return &s.stats.DropTTL
	}
	var to path
	to.nextHop = h.Dst
	if err := to.choose(t, h.Dst, netip.Addr{}); err != nil {
		s.report(now, Error{Type: Unreachable, Code: CodeNet}, h, p)
		return &s.stats.DropNoRoute
	}
	to.mtu = to.out.mtu
	if h.DF && wireLen(h, p) > to.mtu {
		s.report(now, Error{Type: Unreachable, Code: CodeFragNeeded, MTU: uint16(to.mtu)}, h, p)
		return &s.stats.DropTooBig
	}
	if s.cfg.SendRedirects && to.out == h.If {
		s.redirectSender(now, t, &to, h, p)
	}
	s.step(now, t, &to, h, p)
	s.pass(now, &to, h, p)
	return nil
}

// pass sends a transit datagram on. A next hop that is known to be dead draws an error about what of p was kept for it.
func (s *Stack) pass(now time.Duration, to *path, h *Header, p *packet.Buffer) {
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
	s.stats.DropUnreachable.Inc()
	quote := packet.From(start[:n])
	h.Parse(quote.Bytes())
	s.report(now, Error{Type: Unreachable, Code: CodeHost}, h, quote)
	quote.Free()
}

// forwardable refuses martians (RFC 1812 section 5.3.7) and addresses that are of one link only (RFC 3927 section 2.7).
func forwardable(a netip.Addr) bool {
	a4 := a.As4()
	return isHost(a4) && a4[0] != 127 && !a.IsLinkLocalUnicast()
}

// wireLen is how large a datagram is on the wire, where a super-packet travels in segments.
func wireLen(h *Header, p *packet.Buffer) int {
	if p.Offload.Segmentation != packet.SegmentNone {
		return segmentLen(h, p)
	}
	return p.Len()
}

// step makes the changes of one hop to the header.
func (s *Stack) step(now time.Duration, t *table, to *path, h *Header, p *packet.Buffer) {
	b := p.Bytes()[:h.Len()]
	b[8]--
	h.TTL--
	if len(h.Options) > 0 {
		o, _ := scanOptions(h.Options)
		own := t.sourceFor(to.out, to.nextHop)
		if own.IsValid() {
			record(o.record, own)
			stamp(o.stamp, own, now)
		}
	}
	putChecksum(b)
}

// redirectSender tells a host on the arrival network of the better first hop (RFC 1812 section 5.2.7.2).
func (s *Stack) redirectSender(now time.Duration, t *table, to *path, h *Header, p *packet.Buffer) {
	if o, _ := scanOptions(h.Options); o.source != nil {
		return
	}
	for _, a := range t.addresses {
		if a.owner == to.out && a.prefix.Contains(h.Src) && a.prefix.Contains(to.nextHop) {
			s.report(now, Error{Type: Redirect, Code: CodeRedirectHost, Gateway: to.nextHop}, h, p)
			return
		}
	}
}

// followSourceRoute sends a datagram that reached this host on to the next hop of its source route (RFC 791 section 3.1),
// which in a strict one must be a neighbour.
func (s *Stack) followSourceRoute(now time.Duration, t *table, h *Header, p *packet.Buffer) *stats.Counter {
	o, _ := scanOptions(h.Options)
	next := netip.AddrFrom4([4]byte(o.source[o.source[2]-1:]))
	to := path{nextHop: next}
	err := to.choose(t, next, netip.Addr{})
	strict := o.source[0] == optionStrictSourceRoute
	if err != nil || to.out.loopback || to.cast != packet.Unicast || strict && to.nextHop != next {
		s.report(now, Error{Type: Unreachable, Code: CodeSourceRouteFailed}, h, p)
		return &s.stats.DropSourceRoute
	}
	own := t.sourceFor(to.out, to.nextHop)
	if !own.IsValid() {
		own = h.Dst
	}
	record(o.source, own)
	h.Dst = next
	dst := next.As4()
	copy(p.Bytes()[16:], dst[:])
	putChecksum(p.Bytes()[:h.Len()])
	return s.forward(now, t, h, p)
}
