package ipv4

import (
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// Input takes a received datagram from the link. It takes p over, whose Cast says how it was addressed on the link. It is safe for
// concurrent use: every device queue has its own goroutine.
func (i *Interface) Input(now time.Duration, p *packet.Buffer) {
	s := i.stack
	i.inPackets.Inc()
	i.inOctets.Add(uint64(p.Len()))
	s.stats.InPackets.Inc()
	p = p.Own()
	h := s.headers.Get().(*Header)
	h.If = i
	if drop := i.receive(now, h, p); drop != nil {
		drop.Inc()
		p.Free()
	}
	*h = Header{}
	s.headers.Put(h)
}

// receive handles one datagram. It returns the reason for dropping it, or nil when it has taken p over.
func (i *Interface) receive(now time.Duration, h *Header, p *packet.Buffer) *stats.Counter {
	s := i.stack
	if drop := s.parse(h, p); drop != nil {
		return drop
	}
	t := s.table.Load()
	mine, drop := i.accept(t, h, p)
	if drop != nil {
		return drop
	}
	if len(h.Options) > 0 {
		unfinished, drop := s.checkOptions(now, h, p, mine)
		if drop != nil {
			return drop
		}
		if unfinished {
			return s.followSourceRoute(now, t, h, p)
		}
	}
	if !mine {
		return s.forward(now, t, h, p)
	}
	if h.MF || h.Offset != 0 {
		s.reassemble(now, h, p)
		return nil
	}
	s.deliver(now, h, p)
	return nil
}

// parse checks the header and cuts off what is behind the datagram: link padding.
func (s *Stack) parse(h *Header, p *packet.Buffer) *stats.Counter {
	b := p.Bytes()
	switch {
	case len(b) < HeaderLen:
		return &s.stats.DropTruncated
	case b[0]>>4 != 4:
		return &s.stats.DropVersion
	case !h.Parse(b):
		return &s.stats.DropHeaderLen
	case checksum.Sum(b[:h.Len()], 0) != 0xffff:
		return &s.stats.DropChecksum
	case int(h.TotalLen) < h.Len() || int(h.TotalLen) > len(b):
		return &s.stats.DropTotalLen
	}
	p.Truncate(int(h.TotalLen))
	return nil
}

// accept checks the addresses and says whether the datagram is for this host.
func (i *Interface) accept(t *table, h *Header, p *packet.Buffer) (mine bool, drop *stats.Counter) {
	s := i.stack
	src, dst := h.Src.As4(), h.Dst.As4()
	to := t.classOf(dst)
	h.Cast = to.cast
	if drop := i.checkSource(t.classOf(src), src, dst); drop != nil {
		return false, drop
	}
	switch {
	case h.Cast == packet.Multicast:
		if !i.Joined(h.Dst) {
			return false, &s.stats.DropNotJoined
		}
		return true, nil
	case h.Cast == packet.Broadcast:
		return true, nil
	case p.Cast != packet.Unicast:
		return false, &s.stats.DropLinkBroadcast
	case to.local:
		return true, nil
	case !s.cfg.Forwarding:
		return false, &s.stats.DropNotLocal
	}
	return false, nil
}

// checkSource refuses sources that are no other host's unicast address. 0.0.0.0 is heard from a host that broadcasts
// because it has none yet.
func (i *Interface) checkSource(from class, src, dst [4]byte) *stats.Counter {
	s := i.stack
	switch {
	case src == [4]byte{} && dst == limitedBroadcast:
		return nil
	case !isHost(src) || from.cast != packet.Unicast:
		return &s.stats.DropSource
	case i.loopback:
		return nil
	case src[0] == 127 || dst[0] == 127:
		return &s.stats.DropLoopback
	case from.local:
		return &s.stats.DropSource // our own address from outside: a forgery, or another host with our address
	}
	return nil
}

// checkOptions handles a malformed option and a source route. unfinished: this host is a hop of the source route, and the
// datagram is to go on.
func (s *Stack) checkOptions(now time.Duration, h *Header, p *packet.Buffer, mine bool) (unfinished bool, drop *stats.Counter) {
	o, bad := scanOptions(h.Options)
	switch {
	case bad >= 0:
		s.report(now, Error{Type: ParameterProblem, Pointer: uint8(HeaderLen + bad)}, h, p)
		return false, &s.stats.DropOption
	case o.source == nil:
		return false, nil
	case !s.cfg.AcceptSourceRouted:
		return false, &s.stats.DropSourceRouted
	case full(o.source):
		return false, nil
	case mine && !(s.cfg.Forwarding && s.cfg.ForwardSourceRouted), !mine && o.source[0] == optionStrictSourceRoute:
		s.report(now, Error{Type: Unreachable, Code: CodeSourceRouteFailed}, h, p)
		return false, &s.stats.DropSourceRoute
	}
	return mine, nil
}

// deliver hands a whole datagram to the raw listeners and the transport. It takes p over.
func (s *Stack) deliver(now time.Duration, h *Header, p *packet.Buffer) {
	tapped := s.tap(now, h, p)
	transport := s.protocols[h.Protocol]
	if transport != nil {
		s.stats.InDelivers.Inc()
		p.TrimFront(h.Len())
		transport.Input(now, h, p)
		return
	}
	if tapped {
		s.stats.InDelivers.Inc()
	} else {
		s.stats.DropNoProtocol.Inc()
		s.report(now, Error{Type: Unreachable, Code: CodeProtocol}, h, p)
	}
	p.Free()
}

// Unreachable is called by the link for a datagram whose next hop did not answer; p starts at its IP header. It takes p over,
// and is not called from within Output, whose caller may hold the lock that the answer needs.
func (i *Interface) Unreachable(now time.Duration, p *packet.Buffer) {
	s := i.stack
	defer p.Free()
	h := &Header{If: i}
	if !h.Parse(p.Bytes()) {
		return
	}
	s.stats.DropUnreachable.Inc()
	s.gateways.failTo(now, h.Dst)
	s.report(now, Error{Type: Unreachable, Code: CodeHost}, h, p) // to ourselves, too: so raw sockets see it, as on Linux
}
