package icmp

import (
	"encoding/binary"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

// Codes of ICMPv6 errors (RFC 4443 section 3).
const (
	CodeNoRoute           = 0 // of Unreachable6
	CodeProhibited        = 1
	CodeBeyondScope       = 2
	CodeAddress           = 3
	CodePort6             = 4
	CodePolicy            = 5
	CodeReject            = 6
	CodeUnknownNextHeader = 1 // of ParameterProblem6
	maxError6             = ipv6.MinMTU - ipv6.HeaderLen
)

// sent6 are the type and code of each kind of error that this stack sends in IPv6.
var sent6 = [...]struct{ typ, code uint8 }{
	ip.NetUnreachable:      {Unreachable6, CodeNoRoute},
	ip.HostUnreachable:     {Unreachable6, CodeAddress},
	ip.ProtocolUnreachable: {ParameterProblem6, CodeUnknownNextHeader},
	ip.PortUnreachable:     {Unreachable6, CodePort6},
	ip.TooBig:              {PacketTooBig, 0},
	ip.Prohibited:          {Unreachable6, CodeProhibited},
	ip.TTLExceeded:         {TimeExceeded6, CodeTTL},
	ip.ReassemblyTimeout:   {TimeExceeded6, CodeReassembly},
	ip.BadParameter:        {ParameterProblem6, 0}, // and Error.Code
	ip.BeyondScope:         {Unreachable6, CodeBeyondScope},
}

// unreachable6 are the meanings of the codes of Destination Unreachable.
var unreachable6 = [...]meaning{
	CodeNoRoute:     {ip.NetUnreachable, syscall.ENETUNREACH, false},
	CodeProhibited:  {ip.Prohibited, syscall.EACCES, true},
	CodeBeyondScope: {ip.BeyondScope, syscall.EHOSTUNREACH, false},
	CodeAddress:     {ip.HostUnreachable, syscall.EHOSTUNREACH, false},
	CodePort6:       {ip.PortUnreachable, syscall.ECONNREFUSED, true},
	CodePolicy:      {ip.Prohibited, syscall.EACCES, true},
	CodeReject:      {ip.Prohibited, syscall.EACCES, true},
}

// ErrorOf6 is a received ICMPv6 error of a type and code, without what it quotes.
func ErrorOf6(typ, code uint8) ip.Error {
	m := meaningOf6(typ, code)
	return ip.Error{Kind: m.kind, Errno: m.errno, Hard: m.hard, Type: typ, Code: code}
}

// meaningOf6 has the errors of Linux's icmpv6_err_convert.
func meaningOf6(typ, code uint8) meaning {
	switch typ {
	case Unreachable6:
		if int(code) < len(unreachable6) {
			return unreachable6[code]
		}
		return meaning{ip.OtherError, syscall.EPROTO, true}
	case PacketTooBig:
		return meaning{ip.TooBig, syscall.EMSGSIZE, false}
	case TimeExceeded6:
		if code == CodeReassembly {
			return meaning{ip.ReassemblyTimeout, syscall.EHOSTUNREACH, false}
		}
		return meaning{ip.TTLExceeded, syscall.EHOSTUNREACH, false}
	case ParameterProblem6:
		if code == CodeUnknownNextHeader {
			return meaning{ip.ProtocolUnreachable, syscall.EPROTO, true}
		}
		return meaning{ip.BadParameter, syscall.EPROTO, true}
	}
	return meaning{ip.OtherError, syscall.EPROTO, false}
}

// Report sends an error about the datagram p, which starts at its IP header and stays the caller's, unless one of the rules of RFC 4443
// section 2.4 or the rate limit is against it (ipv6.Reporter).
func (s *Stack6) Report(now time.Duration, e ip.Error, d *ip.Datagram, p *packet.Buffer) {
	if why := s.silent(&e, d, p.Bytes()); why != nil {
		why.Inc()
		return
	}
	r, err := s.routeOf(&e, d)
	if err != nil {
		s.stats.DropNoRoute.Inc()
		return
	}
	if !s.ip.IsLocal(d.Src) && e.Kind != ip.TooBig && !s.limit.allow(now, d.Src) {
		s.stats.SilentRate.Inc()
		return
	}
	s.stats.OutErrors.Inc()
	p.CompleteChecksum() // which a device may have left to us: a quote is as the wire would have it
	out := ip.Outgoing{Protocol: ip.ProtocolICMPv6}
	var m *packet.Buffer
	if e.Kind == ip.Redirect {
		out.TTL, m = nd.HopLimit, redirect6(&e, d, p)
	} else {
		m = message6(&e, p)
	}
	putChecksum6(r, m.Bytes())
	_ = s.ip.Send(now, r, out, m)
}

// silent says why there must be no error about the datagram b; nil if there may be one.
func (s *Stack6) silent(e *ip.Error, d *ip.Datagram, b []byte) *stats.Counter {
	const unknownOption = 2 // the code of BadParameter that also a multicast may draw
	from := s.ip.Class(d.Src)
	switch {
	case d.Cast != packet.Unicast && e.Kind != ip.TooBig && !(e.Kind == ip.BadParameter && e.Code == unknownOption):
		return &s.stats.SilentMulticast
	case from.Form != ip.FormHost && !(from.Form == ip.FormLoopback && d.In.Loopback()) || from.Anycast:
		return &s.stats.SilentSource
	case !mayDrawError(b):
		return &s.stats.SilentError
	}
	return nil
}

// mayDrawError reports whether an error may answer the datagram b, which must be neither an ICMPv6 error nor a Redirect. A fragment other
// than the first does not show which it is, and may be answered, as in Linux.
func mayDrawError(b []byte) bool {
	var h ipv6.Header
	if !h.Parse(b) || h.Protocol != ip.ProtocolICMPv6 || h.Offset != 0 {
		return true
	}
	return h.HeaderLen < len(b) && b[h.HeaderLen] >= firstQuery6 && b[h.HeaderLen] != nd.TypeRedirect
}

// message6 builds an error, without its checksum, that quotes as much of p as fits the MTU of every link (RFC 4443 section 2.4(c)).
func message6(e *ip.Error, p *packet.Buffer) *packet.Buffer {
	quoted := min(p.Len(), maxError6-HeaderLen)
	m := packet.New(HeaderLen + quoted)
	m.Queue = p.Queue
	b := m.Extend(HeaderLen + quoted)
	clear(b[:HeaderLen])
	b[0], b[1] = sent6[e.Kind].typ, sent6[e.Kind].code
	switch e.Kind {
	case ip.TooBig:
		binary.BigEndian.PutUint32(b[4:], uint32(e.MTU))
	case ip.BadParameter:
		b[1] = e.Code
		binary.BigEndian.PutUint32(b[4:], uint32(e.Pointer))
	case ip.ProtocolUnreachable:
		binary.BigEndian.PutUint32(b[4:], uint32(e.Pointer))
	}
	p.CopyAt(b[HeaderLen:], 0)
	return m
}

// receiveError hands an error to the transport that sent the quoted datagram; also one of a type that nobody knows (RFC 4443
// section 2.4(a)).
func (s *Stack6) receiveError(now time.Duration, d *ip.Datagram, b []byte) {
	e := ErrorOf6(b[0], b[1])
	e.From, e.In, e.Local = d.Src, d.In, d.In.Loopback()
	word := binary.BigEndian.Uint32(b[4:])
	switch e.Kind {
	case ip.TooBig:
		e.MTU = int(word)
		if e.MTU < ipv6.MinMTU {
			s.stats.DropMTU.Inc()
			return
		}
	case ip.BadParameter, ip.ProtocolUnreachable:
		e.Pointer = int(word)
	}
	e.Datagram = b[HeaderLen:]
	quoted, ok := s.quote(&e)
	if !ok {
		s.stats.DropQuote.Inc()
		return
	}
	s.stats.InErrors.Inc()
	s.ip.HandleError(now, &e, quoted)
}

// quote reads the header of the datagram that an error quotes, and returns what is behind it. It is false for a quote without the start
// of a transport header, and for one of a datagram that is not from here.
func (s *Stack6) quote(e *ip.Error) ([]byte, bool) {
	var h ipv6.Header
	if !h.Parse(e.Datagram) || len(e.Datagram) < h.HeaderLen+quotedLen || h.Offset != 0 {
		return nil, false
	}
	e.Quoted = h.Datagram
	e.Quoted.Src, e.Quoted.Dst = e.In.Scoped(h.Src), e.In.Scoped(h.Dst)
	return e.Datagram[h.HeaderLen:], s.ip.IsLocal(e.Quoted.Src)
}

// HandleError handles an error about a message sent by a raw socket, which has seen the error itself (ip.Protocol).
func (s *Stack6) HandleError(now time.Duration, e *ip.Error, quoted []byte) {
	s.ip.ApplyIfSent(now, e, quoted)
}
