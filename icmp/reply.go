package icmp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ipv4"
)

// echo turns a request into its reply, in place (RFC 1122 section 3.2.2.6).
func (s *Stack) echo(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	if d.Cast != packet.Unicast && !s.cfg.EchoBroadcast {
		s.drop(&s.stats.DropBroadcast, p)
		return
	}
	b := p.Bytes()
	b[0] = EchoReply
	// The sum lost EchoRequest in the high octet of a word: RFC 1624 adds that to the checksum.
	checksum.Put(b[2:], checksum.Add(binary.BigEndian.Uint16(b[2:]), EchoRequest<<8))
	if s.reply(now, d, p) {
		s.stats.OutEchos.Inc()
	}
}

// timestamp answers a Timestamp request (RFC 1122 section 3.2.2.8).
func (s *Stack) timestamp(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	const size = HeaderLen + 3*4 // originate, receive and transmit timestamps
	switch b := p.Bytes(); {
	case s.cfg.TimeOfDay == nil:
		s.drop(&s.stats.DropUnknown, p)
	case d.Cast != packet.Unicast:
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
		if s.reply(now, d, p) {
			s.stats.OutStamps.Inc()
		}
	}
}

// reply sends p back to where the request d came from, from the address that it was sent to.
func (s *Stack) reply(now time.Duration, d *ip.Datagram, p *packet.Buffer) bool {
	src := d.Dst
	if d.Cast != packet.Unicast {
		src = netip.Addr{} // the request named none of ours
	}
	r, err := s.ip.Route(d.Src, src)
	if err != nil {
		s.drop(&s.stats.DropNoRoute, p)
		return false
	}
	out := ip.Outgoing{TOS: d.TOS, Protocol: ip.ProtocolICMP}
	if len(d.Options) > 0 {
		out.Options = ipv4.EchoOptions(d, now)
	}
	if room := r.MaxPayload(out); p.Len() > room { // the reply's options may be longer than the request's
		p.Truncate(room)
		putChecksum(p.Bytes())
	}
	p.Offload = packet.Offload{}
	return s.ip.Send(now, r, out, p) == nil
}

// putChecksum computes the checksum of a message anew.
func putChecksum(b []byte) {
	b[2], b[3] = 0, 0
	checksum.Put(b[2:], ^checksum.Sum(b, 0))
}
