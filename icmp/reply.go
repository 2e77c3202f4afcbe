package icmp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ipv4"
)

// echo turns a request into its reply, in place (RFC 1122 section 3.2.2.6).
func (s *Stack) echo(now time.Duration, h *ipv4.Header, p *packet.Buffer) {
	if h.Cast != packet.Unicast && !s.cfg.EchoBroadcast {
		s.drop(&s.stats.DropBroadcast, p)
		return
	}
	b := p.Bytes()
	b[0] = EchoReply
	// The sum lost EchoRequest in the high octet of a word: RFC 1624 adds that to the checksum.
	checksum.Put(b[2:], checksum.Add(binary.BigEndian.Uint16(b[2:]), EchoRequest<<8))
	if s.reply(now, h, p) {
		s.stats.OutEchos.Inc()
	}
}

// timestamp answers a Timestamp request (RFC 1122 section 3.2.2.8).
func (s *Stack) timestamp(now time.Duration, h *ipv4.Header, p *packet.Buffer) {
	const size = HeaderLen + 3*4 // originate, receive and transmit timestamps
	switch b := p.Bytes(); {
	case s.cfg.TimeOfDay == nil:
		s.drop(&s.stats.DropUnknown, p)
	case h.Cast != packet.Unicast:
		s.drop(&s.stats.DropBroadcast, p)
	case len(b) < size:
		s.drop(&s.stats.DropTruncated, p)
	default:
		p.Truncate(size)
		ms := uint32(s.cfg.TimeOfDay().Milliseconds())
		b[0] = TimestampReply
		binary.BigEndian.PutUint32(b[12:], ms)
		binary.BigEndian.PutUint32(b[16:], ms)
		putChecksum(b[:size])
		if s.reply(now, h, p) {
			s.stats.OutStamps.Inc()
		}
	}
}

// reply sends p back to where the request with header h came from, from the address that it was sent to.
func (s *Stack) reply(now time.Duration, h *ipv4.Header, p *packet.Buffer) bool {
	src := h.Dst
	if h.Cast != packet.Unicast {
		src = netip.Addr{} // the request named none of ours
	}
	r, err := s.ip.Route(h.Src, src)
	if err != nil {
		s.drop(&s.stats.DropNoRoute, p)
		return false
	}
	out := ipv4.Header{TOS: h.TOS, Protocol: ipv4.ProtocolICMP}
	if len(h.Options) > 0 {
		out.Options = h.EchoOptions(nil, now)
	}
	if room := ipv4.MaxDatagram - out.Len(); p.Len() > room { // the reply's options may be longer than the request's
		p.Truncate(room)
		putChecksum(p.Bytes())
	}
	p.Offload = packet.Offload{}
	return s.ip.Send(now, r, &out, p) == nil
}

// putChecksum computes the checksum of a message anew.
func putChecksum(b []byte) {
	b[2], b[3] = 0, 0
	checksum.Put(b[2:], ^checksum.Sum(b, 0))
}
