package icmp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/ipv4"
)

// quotedLen is how much of a datagram's payload every error quotes at least (RFC 792).
const quotedLen = 8

// parseError reads a received error: what it says, the header of the datagram that it quotes, and the octets after that.
func parseError(from netip.Addr, b []byte) (e ipv4.Error, quoted []byte, ok bool) {
	e = ipv4.Error{Type: b[0], Code: b[1], From: from, Quoted: new(ipv4.Header)}
	switch e.Type {
	case ipv4.Unreachable:
		if e.FragNeeded() {
			e.MTU = binary.BigEndian.Uint16(b[6:])
		}
	case ipv4.ParameterProblem:
		e.Pointer = b[4]
	case ipv4.Redirect:
		e.Gateway = netip.AddrFrom4([4]byte(b[4:]))
	}
	b = b[HeaderLen:]
	e.Datagram = b
	if !e.Quoted.Parse(b) || len(b) < e.Quoted.Len()+quotedLen {
		return e, nil, false
	}
	return e, b[e.Quoted.Len():], true
}

// receiveError hands an error to the transport that sent the quoted datagram, or a Redirect to the route table.
func (s *Stack) receiveError(now time.Duration, h *ipv4.Header, b []byte) {
	e, quoted, ok := parseError(h.Src, b)
	if !ok || e.Quoted.Offset != 0 || !s.ip.IsLocal(e.Quoted.Src) {
		s.stats.DropQuote.Inc()
		return
	}
	if e.Type == ipv4.Redirect {
		s.stats.InRedirects.Inc()
		s.ip.Redirect(now, h.If, &e)
		return
	}
	s.stats.InErrors.Inc()
	e.Local = h.If.Loopback()
	s.ip.Advise(now, &e, quoted)
}

// Advise handles an error about a message sent by a raw socket, which has seen the error itself.
func (s *Stack) Advise(now time.Duration, e *ipv4.Error, quoted []byte) {
	s.ip.UpdatePMTUIfSent(now, e, quoted)
}
