package icmp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ipv4"
)

// maxError is the largest datagram that carries an error (RFC 1812 section 4.3.2.3).
const maxError = 576

// Report sends an error about the datagram p, which starts at its IP header and stays the caller's, unless one of the
// rules of RFC 1122 section 3.2.2 or the rate limit is against it.
func (s *Stack) Report(now time.Duration, e ip.Error, d *ip.Datagram, p *packet.Buffer) {
	if why := s.silent(d, p.Bytes()); why != nil {
		why.Inc()
		return
	}
	src := netip.Addr{}
	if s.ip.IsLocal(d.Dst) {
		src = d.Dst
	}
	r, err := s.ip.Route(d.Src, src)
	if err != nil {
		s.stats.DropNoRoute.Inc()
		return
	}
	if !s.ip.IsLocal(d.Src) && e.Kind != ip.TooBig && !s.limit.allow(now, d.Src) {
		s.stats.SilentRate.Inc()
		return
	}
	s.stats.OutErrors.Inc()
	p.CompleteChecksum()                                                         // which a device may have left to us: a quote is as the wire would have it
	out := ip.Outgoing{Protocol: ip.ProtocolICMP, Options: s.ip.ReplyOptions(d)} // RFC 1812 section 4.3.2.6
	_ = s.ip.Send(now, r, out, message(&e, p, maxError-ipv4.HeaderLen-out.OptionsLen()))
}

// silent says why there must be no error about the datagram b; nil if there may be one.
func (s *Stack) silent(d *ip.Datagram, b []byte) *stats.Counter {
	switch {
	case d.Cast != packet.Unicast:
		return &s.stats.SilentCast
	case !isFirst(b):
		return &s.stats.SilentFragment
	case !s.isSingleHost(d):
		return &s.stats.SilentSource
	case d.Protocol == ip.ProtocolICMP && !isQuery(b[d.HeaderLen:]):
		return &s.stats.SilentError
	}
	return nil
}

// isFirst says whether the datagram b is whole or the first fragment of one.
func isFirst(b []byte) bool {
	var h ipv4.Header
	return h.Parse(b) && h.Offset == 0
}

// isSingleHost says whether the source of a datagram is one host, to which an error can be sent.
func (s *Stack) isSingleHost(d *ip.Datagram) bool {
	c := s.ip.Class(d.Src)
	return c.Cast == packet.Unicast && (c.Form == ip.FormHost || c.Form == ip.FormLoopback && d.In.Loopback())
}

// isQuery says whether a message is certainly no error.
func isQuery(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] {
	case EchoRequest, EchoReply, Timestamp, TimestampReply, 15, 16, 17, 18: // the last four: information and address mask
		return true
	}
	return false
}

// message builds an error of at most size octets that quotes as much of p as fits.
func message(e *ip.Error, p *packet.Buffer, size int) *packet.Buffer {
	quoted := p.Bytes()
	quoted = quoted[:min(len(quoted), size-HeaderLen)]
	m := packet.New(HeaderLen + len(quoted))
	m.Queue = p.Queue
	b := m.Extend(HeaderLen + len(quoted))
	clear(b[:HeaderLen])
	b[0], b[1] = sent[e.Kind].typ, sent[e.Kind].code
	switch e.Kind {
	case ip.TooBig:
		binary.BigEndian.PutUint16(b[6:], uint16(e.MTU))
	case ip.BadParameter:
		b[4] = uint8(e.Pointer)
	case ip.Redirect:
		gateway := e.Gateway.As4()
		copy(b[4:], gateway[:])
	}
	copy(b[HeaderLen:], quoted)
	putChecksum(b)
	return m
}
