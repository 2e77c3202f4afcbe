package ipv4

import (
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ip/reassembly"
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
	if drop != nil {
		return drop
	}
	if len(h.Options) > 0 {
		unfinished, drop := s.checkOptions(now, h, p, mine)
		if drop != nil {
			return drop
		}
		if unfinished {
			return s.followSourceRoute(now, h, p)
		}
	}
	if !mine {
		return s.forward(now, h, p)
	}
	if h.MF || h.Offset != 0 {
		s.reassemble(now, h, p)
		return nil
	}
	s.deliver(now, h, p)
	return nil
}

// parse checks the header and cuts off the link padding behind the datagram.
func (s *Stack) parse(h *Header, p *packet.Buffer) *stats.Counter {
	b := p.Bytes()
	switch {
	case len(b) < HeaderLen:
		return &s.stats.DropTruncated
	case !h.Parse(b):
		return &s.stats.DropHeaderLen
	case checksum.Sum(b[:h.Len()], 0) != 0xffff:
		return &s.stats.DropChecksum
	case h.TotalLen < h.Len() || h.TotalLen > len(b):
		return &s.stats.DropTotalLen
	}
	p.Truncate(h.TotalLen)
	return nil
}

// accept checks the addresses and reports whether the datagram is for this stack.
func (s *Stack) accept(h *Header, p *packet.Buffer) (mine bool, drop *stats.Counter) {
	to := s.ip.Class(h.Dst)
	h.Cast = to.Cast
	if drop := s.checkSource(h, s.ip.Class(h.Src), to); drop != nil {
		return false, drop
	}
	switch {
	case h.Cast == packet.Multicast:
		if !h.In.Joined(h.Dst) {
			return false, &s.stats.DropNotJoined
		}
		return true, nil
	case h.Cast == packet.Broadcast:
		return true, nil
	case p.Cast != packet.Unicast:
		return false, &s.stats.DropLinkBroadcast
	case to.Local:
		return true, nil
	case !s.shared.Forwarding:
		return false, &s.stats.DropNotLocal
	}
	return false, nil
}

// checkSource refuses a source that is not another host's unicast address. A host without an address may broadcast from
// 0.0.0.0, and send messages about groups from there, as switches do that query for groups (RFC 4541 section 2.1.1).
func (s *Stack) checkSource(h *Header, from, to ip.Class) *stats.Counter {
	switch {
	case from.Form == ip.FormUnspecified && (to.Form == ip.FormBroadcast || to.Form == ip.FormMulticast && h.Protocol == ip.ProtocolIGMP):
		return nil
	case from.Form != ip.FormHost && from.Form != ip.FormLoopback || from.Cast != packet.Unicast:
		return &s.stats.DropSource
	case h.In.Loopback():
		return nil
	case from.Form == ip.FormLoopback || to.Form == ip.FormLoopback:
		return &s.stats.DropLoopback
	case from.Local:
		return &s.stats.DropSource // one of our addresses from outside: a forgery, or another host with our address
	}
	return nil
}

// checkOptions handles a malformed option and a source route. unfinished: this stack is a hop of the source route and must
// forward the datagram.
func (s *Stack) checkOptions(now time.Duration, h *Header, p *packet.Buffer, mine bool) (unfinished bool, drop *stats.Counter) {
	o, bad := scanOptions(h.Options)
	switch {
	case bad >= 0:
		s.Report(now, ip.Error{Kind: ip.BadParameter, Pointer: HeaderLen + bad}, &h.Datagram, p)
		return false, &s.stats.DropOption
	case o.source == nil:
		return false, nil
	case !s.cfg.AcceptSourceRouted:
		return false, &s.stats.DropSourceRouted
	case full(o.source):
		return false, nil
	case mine && !(s.shared.Forwarding && s.cfg.ForwardSourceRouted), !mine && o.source[0] == optionStrictSourceRoute:
		s.Report(now, ip.Error{Kind: ip.SourceRouteFailed}, &h.Datagram, p)
		return false, &s.stats.DropSourceRoute
	}
	return mine, nil
}

// reassemble takes a fragment over, and delivers the datagram that it completes.
func (s *Stack) reassemble(now time.Duration, h *Header, p *packet.Buffer) {
	b, n := p.Bytes(), h.Len()
	w, ok := s.ip.Reassemble(now, &ip.Fragment{
		Key:     reassembly.Key{Src: h.Src, Dst: h.Dst, ID: uint32(h.ID), Protocol: h.Protocol},
		Context: ip.Arrival{In: h.In, Cast: h.Cast},
		Header:  b[:n], Payload: b[n:], Offset: int(h.Offset), More: h.MF, Marked: h.TOS&ecnMask == ecnCE, MaxLen: MaxDatagram,
	})
	if ok {
		whole := w.Packet
		whole.Cast, whole.Queue = p.Cast, p.Queue
		h.Parse(whole.Bytes())
		h.MF, h.TotalLen = false, whole.Len()
		if w.Marked {
			h.TOS |= ecnCE
		}
		h.put(whole.Bytes()[:w.HeaderLen])
		s.deliver(now, h, whole)
	}
	p.Free()
}

// deliver passes a whole datagram to the raw sockets and the transport. It takes p over.
func (s *Stack) deliver(now time.Duration, h *Header, p *packet.Buffer) {
	switch {
	case s.ip.Filters(&h.Datagram, p):
	case s.ip.Deliver(now, &h.Datagram, p):
		s.stats.InDelivers.Inc()
		return
	default:
		s.stats.DropNoProtocol.Inc()
		s.Report(now, ip.Error{Kind: ip.ProtocolUnreachable}, &h.Datagram, p)
	}
	p.Free()
}
