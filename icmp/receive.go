package icmp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/ip"
	"tunstack/ipv4"
)

// quotedLen is how much of a datagram's payload every error quotes at least (RFC 792).
const quotedLen = 8

// parseError reads a received error: what it says, the header of the datagram that it quotes, and the bytes after that. A quote of
// a fragment other than the first has no transport header.
func parseError(from netip.Addr, b []byte) (e ip.Error, quoted []byte, ok bool) {
	e = ErrorOf(b[0], b[1])
	e.From = from
	switch e.Kind {
	case ip.TooBig:
		e.MTU = int(binary.BigEndian.Uint16(b[6:]))
	case ip.BadParameter:
		e.Pointer = int(b[4])
	case ip.Redirect:
		e.Gateway = netip.AddrFrom4([4]byte(b[4:]))
	}
	b = b[HeaderLen:]
	e.Datagram = b
	var h ipv4.Header
	if !h.Parse(b) || len(b) < h.Len()+quotedLen || h.Offset != 0 {
		return e, nil, false
	}
	e.Quoted = h.Datagram
	return e, b[h.Len():], true
}

// receiveError hands an error to the transport that sent the quoted datagram.
func (s *Stack) receiveError(now time.Duration, d *ip.Datagram, b []byte) {
	e, quoted, ok := parseError(d.Src, b)
	if !ok || !s.ip.IsLocal(e.Quoted.Src) {
		s.stats.DropQuote.Inc()
		return
	}
	if e.Kind == ip.Redirect {
		s.stats.InRedirects.Inc()
	} else {
		s.stats.InErrors.Inc()
	}
	e.In, e.Local = d.In, d.In.Loopback()
	s.ip.HandleError(now, &e, quoted)
}

// HandleError handles an error about a message sent by a raw socket, which has seen the error itself.
func (s *Stack) HandleError(now time.Duration, e *ip.Error, quoted []byte) {
	s.ip.ApplyIfSent(now, e, quoted)
}
