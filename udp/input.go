package udp

import (
	"net/netip"
	"slices"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
)

// Input takes a datagram from IP (ip.Protocol).
func (s *Stack) Input(now time.Duration, id *ip.Datagram, p *packet.Buffer) {
	var h Header
	if !s.valid(&h, id, p) {
		p.Free()
		return
	}
	local, remote := netip.AddrPortFrom(id.Dst, h.DstPort), netip.AddrPortFrom(id.Src, h.SrcPort)
	if id.Cast != packet.Unicast {
		s.deliverAll(now, local, remote, id, &h, p)
		return
	}
	e := s.sockets.lookup(local, remote, id.In)
	switch {
	case lacksChecksum(&h, id, e):
		s.stats.DropNoChecksum.Inc()
		p.Free()
		return
	case e == nil:
		s.stats.DropNoPort.Inc()
		s.ip.Report(now, ip.Error{Kind: ip.PortUnreachable}, id, p)
		p.Free()
		return
	}
	s.deliver(now, e, local, remote, id, &h, p)
}

// valid parses and checks the header, and counts the drop of an invalid one.
func (s *Stack) valid(h *Header, id *ip.Datagram, p *packet.Buffer) bool {
	b := p.Bytes()
	if !h.Parse(b) {
		s.stats.DropShort.Inc()
		return false
	}
	if h.Length < HeaderLen || int(h.Length) > len(b) {
		s.stats.DropLength.Inc()
		return false
	}
	if h.Checksum == 0 || p.Offload.Checksum != packet.ChecksumNone {
		return true
	}
	if checksum.Sum(b[:h.Length], id.PseudoSum(int(h.Length))) != 0xffff {
		s.stats.DropChecksum.Inc()
		return false
	}
	return true
}

// lacksChecksum reports whether an IPv6 datagram has no checksum although the socket e, which may be nil, receives only datagrams with one
// (RFC 6936 section 4).
func lacksChecksum(h *Header, id *ip.Datagram, e *Socket) bool {
	return h.Checksum == 0 && id.Dst.Is6() && (e == nil || !e.State().Options.NoCheckIn)
}

// deliver queues the payload of p for e.
func (s *Stack) deliver(now time.Duration, e *Socket, local, remote netip.AddrPort, id *ip.Datagram, h *Header, p *packet.Buffer) {
	if q := uint32(p.Queue); e.queue.Load() != q {
		e.queue.Store(q)
	}
	d := Datagram{From: remote, To: local, Interface: id.In.Name(), TOS: id.TOS, TTL: id.TTL, FlowLabel: id.FlowLabel, At: now}
	if len(id.Options) > 0 {
		d.IPOptions = slices.Clone(id.Options)
	}
	unit, count := 0, 1
	if p.Offload.Segmentation == packet.SegmentUDP && p.Offload.Size > 0 {
		unit = int(p.Offload.Size)
		count = max(1, (int(h.Length)-HeaderLen+unit-1)/unit)
	}
	p.Truncate(int(h.Length))
	p.TrimFront(HeaderLen)
	if e.Push(d, p, unit) {
		s.stats.InDatagrams.Add(uint64(count))
	} else {
		s.stats.DropFull.Add(uint64(count))
	}
}

// deliverAll gives a broadcast or multicast datagram to every socket that matches it.
func (s *Stack) deliverAll(now time.Duration, local, remote netip.AddrPort, id *ip.Datagram, h *Header, p *packet.Buffer) {
	var last *Socket
	drop := &s.stats.DropNoListener
	for _, list := range s.sockets.candidates(local, remote) {
		for _, e := range list {
			st := e.State()
			if match(st, local, remote, id.In) == 0 || !e.Allows(st, id) {
				continue
			}
			if lacksChecksum(h, id, e) {
				drop = &s.stats.DropNoChecksum
				continue
			}
			if last != nil {
				s.deliver(now, last, local, remote, id, h, p.Clone())
			}
			last = e
		}
	}
	if last == nil {
		drop.Inc()
		p.Free()
		return
	}
	s.deliver(now, last, local, remote, id, h, p)
}

// HandleError takes an ICMP error from IP (ip.Protocol).
func (s *Stack) HandleError(now time.Duration, ie *ip.Error, quoted []byte) {
	var h Header
	if !h.Parse(quoted) {
		s.stats.DropUnknown.Inc()
		return
	}
	e := s.sockets.lookup(netip.AddrPortFrom(ie.Quoted.Src, h.SrcPort), netip.AddrPortFrom(ie.Quoted.Dst, h.DstPort), nil)
	if e == nil {
		s.stats.DropUnknown.Inc()
		return
	}
	s.stats.InErrors.Inc()
	st := e.State()
	switch {
	case ie.Kind == ip.Redirect && st.Remote.IsValid(): // the four-tuple is hard to guess, and a forged redirect does little harm
		s.ip.Apply(now, ie)
		return
	case ie.Kind == ip.Redirect:
		s.ip.ApplyIfSent(now, ie, quoted)
		return
	case ie.Kind == ip.TooBig && !s.ip.ApplyIfSent(now, ie, quoted):
		return
	}
	e.Receiver.HandleError(&st.Options, st.Remote.IsValid(), ie, h.DstPort, quoted[HeaderLen:])
}
