package ipv6

import (
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// Codes of Parameter Problem (RFC 4443 section 3.4, RFC 7112 section 5).
const (
	codeBadField        = 0
	codeUnknownOption   = 2
	codeIncompleteChain = 3
)

// Bounds of the extension headers of a datagram (RFC 8504 section 5.3, RFC 9673 section 5.2.1): no common program uses more,
// and each header costs work. A datagram beyond the bounds is dropped.
const (
	maxExtensions   = 8
	maxExtensionLen = 512 // bytes of all extension headers together
	maxOptions      = 8   // in one header, padding not counted
	maxPadding      = 7   // bytes in a row
)

// process processes the extension headers of a datagram for this stack, strictly in their order (RFC 8200 section 4), and
// delivers the datagram. It takes p over.
func (s *Stack) process(now time.Duration, h *Header, p *packet.Buffer) {
	for count := 1; isExtension(h.Protocol); count++ {
		var drop *stats.Counter
		if h.Protocol == NextFragment {
			p, drop = s.fragmentHeader(now, h, p)
			h.Fragmented = true
		} else {
			drop = s.extension(now, h, p)
		}
		if p == nil {
			return
		}
		if drop == nil && (count > maxExtensions || h.HeaderLen-HeaderLen > maxExtensionLen) {
			drop = &s.stats.DropLimit
		}
		if drop != nil {
			drop.Inc()
			p.Free()
			return
		}
	}
	s.deliver(now, h, p)
}

// extension handles an extension header other than Fragment and moves on to the next. It returns the reason for dropping the datagram.
func (s *Stack) extension(now time.Duration, h *Header, p *packet.Buffer) *stats.Counter {
	b := p.Bytes()[h.HeaderLen:]
	if h.Protocol == NextHopByHop && h.HeaderLen != HeaderLen {
		s.unknownHeader(now, h, p)
		return &s.stats.DropHeaderOrder
	}
	n := extensionLen(h.Protocol, b)
	if n == 0 {
		field := payloadLenField // the packet ends before the header; a jumbogram looks the same (RFC 2675 section 3)
		if len(b) >= 2 {
			field = h.HeaderLen + 1
		}
		s.badParameter(now, h, p, codeBadField, field)
		return &s.stats.DropExtension
	}
	drop := (*stats.Counter)(nil)
	if h.Protocol == NextRouting {
		drop = s.routing(now, h, p, b)
	} else {
		drop = s.options(now, h, p, b[:n])
	}
	if drop == nil {
		h.next(p.Bytes(), n)
	}
	return drop
}

// routing handles a Routing header (RFC 8200 section 4.4). This stack supports no type, and type 0 is forbidden (RFC 5095): the
// header matters only if segments are left.
func (s *Stack) routing(now time.Duration, h *Header, p *packet.Buffer, b []byte) *stats.Counter {
	const routingType, segmentsLeft = 2, 3
	if b[segmentsLeft] == 0 {
		return nil
	}
	s.badParameter(now, h, p, codeBadField, h.HeaderLen+routingType)
	return &s.stats.DropRouting
}

// badParameter reports a Parameter Problem of a code; pointer is the index of the offending byte in p.
func (s *Stack) badParameter(now time.Duration, h *Header, p *packet.Buffer, code uint8, pointer int) {
	s.Report(now, ip.Error{Kind: ip.BadParameter, Code: code, Pointer: pointer}, &h.Datagram, p)
}

// unknownHeader reports a Next Header value that is unknown or misplaced.
func (s *Stack) unknownHeader(now time.Duration, h *Header, p *packet.Buffer) {
	s.Report(now, ip.Error{Kind: ip.ProtocolUnreachable, Pointer: h.NextField}, &h.Datagram, p)
}

// deliver passes a whole datagram to the raw sockets and the transport. It takes p over.
func (s *Stack) deliver(now time.Duration, h *Header, p *packet.Buffer) {
	if h.HeaderLen > HeaderLen {
		b := p.Bytes()
		h.Options = append([]byte{b[nextHeaderField]}, b[HeaderLen:h.HeaderLen]...)
	}
	switch {
	case h.Protocol == NextNone:
		s.stats.DropNoNext.Inc()
	case s.ip.Filters(&h.Datagram, p):
	case s.ip.Deliver(now, &h.Datagram, p):
		s.stats.InDelivers.Inc()
		return
	default:
		s.stats.DropNoProtocol.Inc()
		s.unknownHeader(now, h, p)
	}
	p.Free()
}
