package icmp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ipv4"
)

// maxError is the largest datagram that carries an error (RFC 1812 section 4.3.2.3).
const maxError = 576

// Report sends an error about the datagram p, which starts at its IP header and stays the caller's, unless one of the
// rules of RFC 1122 section 3.2.2 or the rate limit is against it.
func (s *Stack) Report(now time.Duration, e ipv4.Error, h *ipv4.Header, p *packet.Buffer) {
	if why := s.silent(h, p.Bytes()); why != nil {
		why.Inc()
		return
	}
	src := netip.Addr{}
	if s.ip.IsLocal(h.Dst) {
		src = h.Dst
	}
	r, err := s.ip.Route(h.Src, src)
	if err != nil {
		s.stats.DropNoRoute.Inc()
		return
	}
	if !s.ip.IsLocal(h.Src) && !e.FragNeeded() && !s.limit.allow(now, h.Src) {
		s.stats.SilentRate.Inc()
		return
	}
	s.stats.OutErrors.Inc()
	out := ipv4.Header{Protocol: ipv4.ProtocolICMP, Options: h.ReverseRoute(nil)} // RFC 1812 section 4.3.2.6
	_ = s.ip.Send(now, r, &out, message(&e, p, maxError-out.Len()))
}

// silent says why there must be no error about the datagram b; nil if there may be one.
func (s *Stack) silent(h *ipv4.Header, b []byte) *stats.Counter {
	switch {
	case h.Cast != packet.Unicast:
		return &s.stats.SilentCast
	case h.Offset != 0:
		return &s.stats.SilentFragment
	case !h.Src.Is4() || h.Src.IsUnspecified() || h.Src.IsLoopback() && !h.If.Loopback() || h.Src.As4()[0] >= 224 ||
		s.ip.CastOf(h.Src) != packet.Unicast:
		return &s.stats.SilentSource
	case h.Protocol == ipv4.ProtocolICMP && !isQuery(b[h.Len():]):
		return &s.stats.SilentError
	}
	return nil
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
func message(e *ipv4.Error, p *packet.Buffer, size int) *packet.Buffer {
	quoted := p.Bytes()
	quoted = quoted[:min(len(quoted), size-HeaderLen)]
	m := packet.New(HeaderLen + len(quoted))
	m.Queue = p.Queue
	b := m.Extend(HeaderLen + len(quoted))
	clear(b[:HeaderLen])
	b[0], b[1] = e.Type, e.Code
	switch {
	case e.FragNeeded():
		binary.BigEndian.PutUint16(b[6:], e.MTU)
	case e.Type == ipv4.ParameterProblem:
		b[4] = e.Pointer
	case e.Type == ipv4.Redirect:
		gateway := e.Gateway.As4()
		copy(b[4:], gateway[:])
	}
	copy(b[HeaderLen:], quoted)
	putChecksum(b)
	return m
}
