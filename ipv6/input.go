package ipv6

import (
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/link/nd"
)

// Input takes a received datagram from an interface (ip.Family). It takes p over, whose Cast is the address of the frame.
func (s *Stack) Input(now time.Duration, i *ip.Interface, p *packet.Buffer) {
	s.stats.InPackets.Inc()
	h := s.headers.Get().(*Header)
	h.In = i
	if drop := s.receive(now, h, p); drop != nil {
		drop.Inc()
		p.Free()
	}
	*h = Header{}
	s.headers.Put(h)
}

// receive handles one datagram. It returns the reason for dropping it, or nil when it has taken p over.
func (s *Stack) receive(now time.Duration, h *Header, p *packet.Buffer) *stats.Counter {
	if drop := s.parse(h, p); drop != nil {
		return drop
	}
	mine, drop := s.accept(h, p)
	switch {
	case drop != nil:
		return drop
	case !mine:
		return s.forward(now, h, p)
	}
	s.process(now, h, p)
	return nil
}

// parse checks the fixed header and cuts off the link padding behind the datagram.
func (s *Stack) parse(h *Header, p *packet.Buffer) *stats.Counter {
	if !h.parseFixed(p.Bytes()) {
		return &s.stats.DropTruncated
	}
	h.Src, h.Dst = h.In.Scoped(h.Src), h.In.Scoped(h.Dst)
	if h.TotalLen > p.Len() {
		return &s.stats.DropPayloadLen
	}
	p.Truncate(h.TotalLen)
	return nil
}

// accept checks the addresses and reports whether the datagram is for this stack.
func (s *Stack) accept(h *Header, p *packet.Buffer) (mine bool, drop *stats.Counter) {
	to := s.ip.Class(h.Dst)
	h.Cast = to.Cast
	if drop := s.checkAddresses(h, s.ip.Class(h.Src), to, p); drop != nil {
		return false, drop
	}
	switch {
	case to.Cast == packet.Multicast && !h.In.Joined(h.Dst):
		return false, &s.stats.DropNotJoined
	case to.Cast == packet.Multicast:
		return true, nil
	case p.Cast != packet.Unicast:
		return false, &s.stats.DropLinkMulticast
	case to.Local:
		return true, nil
	case !s.shared.Forwarding:
		return false, &s.stats.DropNotLocal
	}
	return false, nil
}

// checkAddresses refuses addresses that no datagram may have, and from a wire addresses that never leave a node. The source may
// be :: while a node has no address (RFC 4291 section 2.5.2).
func (s *Stack) checkAddresses(h *Header, from, to ip.Class, p *packet.Buffer) *stats.Counter {
	switch {
	case from.Form != ip.FormHost && from.Form != ip.FormLoopback && from.Form != ip.FormUnspecified || from.Anycast:
		return &s.stats.DropSource
	case to.Form == ip.FormInvalid || to.Form == ip.FormUnspecified:
		return &s.stats.DropDestination
	case h.In.Loopback():
		return nil
	case from.Form == ip.FormLoopback || to.Form == ip.FormLoopback || h.Dst.IsInterfaceLocalMulticast():
		return &s.stats.DropLoopback
	case from.Local && !aboutNeighbors(p.Bytes()):
		return &s.stats.DropSource // one of our addresses from outside: a forgery, or another host with our address
	}
	return nil
}

// aboutNeighbors reports whether the datagram b is a neighbor solicitation or advertisement. The link has to see also those from an address
// of ours: they show that another host has it.
func aboutNeighbors(b []byte) bool {
	return b[nextHeaderField] == ip.ProtocolICMPv6 && len(b) > HeaderLen &&
		(b[HeaderLen] == nd.TypeNeighborSolicitation || b[HeaderLen] == nd.TypeNeighborAdvertisement)
}
