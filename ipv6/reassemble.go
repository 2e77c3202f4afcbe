package ipv6

import (
	"encoding/binary"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ip/reassembly"
)

// fragmentHeader handles a Fragment header (RFC 8200 section 4.5). It takes p over, and returns the datagram to process further
// and the reason for dropping it; nil, nil: the datagram is not complete yet.
func (s *Stack) fragmentHeader(now time.Duration, h *Header, p *packet.Buffer) (*packet.Buffer, *stats.Counter) {
	b := p.Bytes()[h.HeaderLen:]
	if len(b) < fragmentHeaderLen {
		s.badParameter(now, h, p, codeBadField, payloadLenField)
		return p, &s.stats.DropExtension
	}
	h.parseFragment(b)
	if h.Offset == 0 && !h.More { // an atomic fragment is whole, independently of other fragments (RFC 6946)
		h.next(p.Bytes(), fragmentHeaderLen)
		return p, nil
	}
	if drop := s.checkFragment(now, h, p, b); drop != nil {
		return p, drop
	}
	whole := s.reassemble(now, h, p)
	p.Free()
	return whole, nil
}

// checkFragment checks a fragment, of which b starts at the Fragment header.
func (s *Stack) checkFragment(now time.Duration, h *Header, p *packet.Buffer, b []byte) *stats.Counter {
	payload := len(b) - fragmentHeaderLen
	switch {
	case h.More && payload%8 != 0:
		s.badParameter(now, h, p, codeBadField, payloadLenField)
		return &s.stats.DropFragment
	case h.HeaderLen-HeaderLen+h.Offset+payload > MaxPayload:
		s.badParameter(now, h, p, codeBadField, h.HeaderLen+2)
		return &s.stats.DropFragment
	case h.HeaderLen+fragmentHeaderLen > reassembly.MaxHeader:
		return &s.stats.DropLimit
	case h.Offset == 0 && !wholeChain(b[0], b[fragmentHeaderLen:]):
		s.badParameter(now, h, p, codeIncompleteChain, 0)
		return &s.stats.DropIncompleteChain
	}
	return nil
}

// wholeChain reports whether b, which starts with the given header, holds all headers up to and including that of the transport
// (RFC 7112 section 5).
func wholeChain(protocol uint8, b []byte) bool {
	for isExtension(protocol) {
		n := extensionLen(protocol, b)
		if n == 0 {
			return false
		}
		protocol, b = b[0], b[n:]
	}
	switch protocol {
	case NextNone:
		return true
	case ip.ProtocolTCP:
		return len(b) >= 20
	case ip.ProtocolUDP, ip.ProtocolICMPv6:
		return len(b) >= 8
	}
	return len(b) > 0
}

// reassemble takes in the fragment p, which stays the caller's. It returns the datagram that the fragment completes, and sets h
// to its header, or nil.
func (s *Stack) reassemble(now time.Duration, h *Header, p *packet.Buffer) *packet.Buffer {
	b, n := p.Bytes(), h.HeaderLen+fragmentHeaderLen
	w, ok := s.ip.Reassemble(now, &ip.Fragment{
		Key:     reassembly.Key{Src: h.Src, Dst: h.Dst, ID: h.ID},
		Context: ip.Arrival{In: h.In, Cast: h.Cast},
		Header:  b[:n], Payload: b[n:], Offset: h.Offset, More: h.More, Marked: h.TOS&ecnMask == ecnCE,
		MaxLen: HeaderLen + MaxPayload + fragmentHeaderLen,
	})
	if !ok {
		return nil
	}
	w.Packet.Cast, w.Packet.Queue = p.Cast, p.Queue
	s.join(h, w)
	return w.Packet
}

// join removes the Fragment header at the end of the headers of w, and reads the headers before it.
func (s *Stack) join(h *Header, w reassembly.Whole) {
	b := w.Packet.Bytes()
	unfragmentable := w.HeaderLen - fragmentHeaderLen
	next := b[unfragmentable]
	copy(b[fragmentHeaderLen:], b[:unfragmentable])
	w.Packet.TrimFront(fragmentHeaderLen)

	b = w.Packet.Bytes()
	binary.BigEndian.PutUint16(b[payloadLenField:], uint16(len(b)-HeaderLen))
	if w.Marked {
		b[1] |= ecnCE << 4
	}
	src, dst := h.Src, h.Dst // with their zones
	h.parseFixed(b)
	h.Offset, h.More = 0, false
	h.skipTo(b, unfragmentable)
	h.Src, h.Dst, h.Offset, h.More = src, dst, 0, false
	h.Protocol, b[h.NextField] = next, next
}
