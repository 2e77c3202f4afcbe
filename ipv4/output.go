package ipv4

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/packet"
)

// Send sends p along r with the fields TOS, TTL (0: the default), DF, Protocol and Options of h. It takes p over,
// which has headroom for the header. It fragments where that is needed and DF allows it. Errors: EMSGSIZE, EINVAL for
// malformed options, what Stack.Route says when the way is lost, and what the link says.
//
// A route that has gone stale is looked up again on the way. A source route in Options lists the hops on the way to
// r.Dst, as setsockopt(IP_OPTIONS) has it. p.Offload.Start counts from the transport header, and Send makes it count from the
// IP header. A super-packet is measured by its segments, which Offload.Size must keep within Route.MTU.
func (s *Stack) Send(now time.Duration, r *Route, h *Header, p *packet.Buffer) error {
	to := r.path()
	if to.err != nil {
		return s.refuse(p, to.err)
	}
	out := Header{TOS: h.TOS, DF: h.DF && !to.noDF, TTL: h.TTL, Protocol: h.Protocol, Src: r.Src, Dst: r.Dst}
	if len(h.Options) > 0 {
		var err error
		if to, err = s.applyOptions(&out, h.Options, to); err != nil {
			return s.refuse(p, err)
		}
	}
	switch {
	case out.TTL != 0:
	case to.cast == packet.Multicast:
		out.TTL = 1 // RFC 1112 section 6.1
	default:
		out.TTL = s.cfg.TTL
	}
	if !out.DF {
		out.ID = s.ids.next(out.Src, out.Dst, out.Protocol)
	}
	n := out.Len()
	if n+p.Len() > MaxDatagram {
		return s.refuse(p, syscall.EMSGSIZE)
	}
	out.TotalLen = uint16(n + p.Len())
	out.put(p.Prepend(n))
	p.Offload.Start += uint16(n)
	p.Cast = to.cast
	if out.DF && out.Protocol != ProtocolTCP { // TCP knows what it has in flight
		s.recent.note(now, &out, p)
	}
	s.stats.OutPackets.Inc()
	return s.emit(now, to, &out, p)
}

// refuse drops a datagram that its sender is told about.
func (s *Stack) refuse(p *packet.Buffer, err error) error {
	p.Free()
	s.stats.DropOutput.Inc()
	return err
}

// emit sends a complete datagram, whose header is also in h, whole, segmented or fragmented.
func (s *Stack) emit(now time.Duration, to *path, h *Header, p *packet.Buffer) error {
	switch {
	case p.Offload.Segmentation != packet.SegmentNone:
		return s.emitSuper(now, to, h, p)
	case p.Len() <= to.mtu:
		return to.out.transmit(now, p, to.nextHop)
	case h.DF:
		p.Free()
		s.stats.DropTooBig.Inc()
		return syscall.EMSGSIZE
	}
	return s.fragment(now, to, h, p)
}

// transmit hands one packet to the link.
func (i *Interface) transmit(now time.Duration, p *packet.Buffer, nextHop netip.Addr) error {
	if !i.features.Checksum {
		p.CompleteChecksum()
	}
	i.outPackets.Inc()
	i.outOctets.Add(uint64(p.Len()))
	err := i.link.Output(now, p, nextHop)
	if err == syscall.EHOSTUNREACH {
		i.stack.gateways.fail(now, nextHop)
	}
	return err
}

// SendRaw sends p, which starts with an IP header of the caller's making, along r (IP_HDRINCL of Linux). Total Length and
// checksum are filled in, and so are the source and the identification where they are zero. It takes p over and never
// fragments. Errors: EINVAL for what is no header, EMSGSIZE above the MTU of the first hop, and as of Send.
func (s *Stack) SendRaw(now time.Duration, r *Route, p *packet.Buffer) error {
	to := r.path()
	if to.err != nil {
		return s.refuse(p, to.err)
	}
	p = p.Own()
	b := p.Bytes()
	var h Header
	switch {
	case !h.Parse(b):
		return s.refuse(p, syscall.EINVAL)
	case p.Len() > to.out.mtu:
		return s.refuse(p, syscall.EMSGSIZE)
	}
	if h.Src.IsUnspecified() {
		src := r.Src.As4()
		copy(b[12:], src[:])
	}
	if h.ID == 0 {
		binary.BigEndian.PutUint16(b[4:], s.ids.next(r.Src, h.Dst, h.Protocol))
	}
	binary.BigEndian.PutUint16(b[2:], uint16(p.Len()))
	putChecksum(b[:h.Len()])
	if h.Parse(b); h.DF {
		s.recent.note(now, &h, p)
	}
	p.Cast = to.cast
	s.stats.OutPackets.Inc()
	return to.out.transmit(now, p, to.nextHop)
}
