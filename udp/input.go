package udp

import (
	"net/netip"
	"slices"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ipv4"
)

// Input takes a datagram from IP (ipv4.Protocol).
func (s *Stack) Input(now time.Duration, ih *ipv4.Header, p *packet.Buffer) {
	var h Header
	if !s.valid(&h, ih, p) {
		p.Free()
		return
	}
	local, remote := netip.AddrPortFrom(ih.Dst, h.DstPort), netip.AddrPortFrom(ih.Src, h.SrcPort)
	if ih.Cast != packet.Unicast {
		s.deliverAll(now, local, remote, ih, &h, p)
		return
	}
	e := s.sockets.lookup(local, remote)
	if e == nil {
		s.stats.DropNoPort.Inc()
		s.ip.Report(now, ipv4.Error{Type: ipv4.Unreachable, Code: ipv4.CodePort}, ih, p)
		p.Free()
		return
	}
	s.deliver(now, e, local, remote, ih, &h, p)
}

// valid parses and checks the header; what it refuses it counts.
func (s *Stack) valid(h *Header, ih *ipv4.Header, p *packet.Buffer) bool {
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
	if checksum.Sum(b[:h.Length], pseudo(ih.Src.As4(), ih.Dst.As4(), int(h.Length))) != 0xffff {
		s.stats.DropChecksum.Inc()
		return false
	}
	return true
}

// deliver queues the payload of p for e.
func (s *Stack) deliver(now time.Duration, e *Endpoint, local, remote netip.AddrPort, ih *ipv4.Header, h *Header, p *packet.Buffer) {
	if q := uint32(p.Queue); e.queue.Load() != q {
		e.queue.Store(q)
	}
	d := Datagram{From: remote, To: local, Interface: ih.If.Name(), TOS: ih.TOS, TTL: ih.TTL, At: now}
	if len(ih.Options) > 0 {
		d.IPOptions = slices.Clone(ih.Options)
	}
	unit, count := 0, 1
	if p.Offload.Segmentation == packet.SegmentUDP && p.Offload.Size > 0 {
		unit = int(p.Offload.Size)
		count = max(1, (int(h.Length)-HeaderLen+unit-1)/unit)
	}
	p.Truncate(int(h.Length))
	p.TrimFront(HeaderLen)
	if e.inbox.Push(d, p, unit) {
		s.stats.InDatagrams.Add(uint64(count))
	} else {
		s.stats.DropFull.Add(uint64(count))
	}
}

// deliverAll gives a broadcast or multicast datagram to every socket that it suits.
func (s *Stack) deliverAll(now time.Duration, local, remote netip.AddrPort, ih *ipv4.Header, h *Header, p *packet.Buffer) {
	var last *Endpoint
	for _, e := range s.sockets.on(h.DstPort) {
		if e.state.Load().match(local, remote) == 0 {
			continue
		}
		if last != nil {
			s.deliver(now, last, local, remote, ih, h, p.Clone())
		}
		last = e
	}
	if last == nil {
		s.stats.DropNoListener.Inc()
		p.Free()
		return
	}
	s.deliver(now, last, local, remote, ih, h, p)
}

// Advise takes an ICMP error from IP (ipv4.Protocol).
func (s *Stack) Advise(now time.Duration, ie *ipv4.Error, quoted []byte) {
	var h Header
	if !h.Parse(quoted) {
		s.stats.DropUnknown.Inc()
		return
	}
	e := s.sockets.lookup(netip.AddrPortFrom(ie.Quoted.Src, h.SrcPort), netip.AddrPortFrom(ie.Quoted.Dst, h.DstPort))
	if e == nil {
		s.stats.DropUnknown.Inc()
		return
	}
	s.stats.InErrors.Inc()
	if ie.FragNeeded() && !s.ip.UpdatePMTUIfSent(now, ie, quoted) {
		return
	}
	st := e.state.Load()
	e.inbox.Advise(&st.options.Options, st.remote.IsValid(), ie, h.DstPort, quoted[HeaderLen:])
}
