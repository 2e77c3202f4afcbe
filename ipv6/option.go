package ipv6

import (
	"bytes"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// Options that every node supports (RFC 8200 section 4.2), and Router Alert (RFC 2711), of which only the value for MLD matters here.
const (
	optionPad1        = 0
	optionPadN        = 1
	optionRouterAlert = 5

	alertMLD = 0
)

// The two top bits of an unknown option select the action on the packet.
const (
	actionSkip          = 0
	actionDiscard       = 1
	actionReport        = 2
	actionReportUnicast = 3 // only if the destination is not multicast
)

// options processes the options of a Hop-by-Hop or Destination Options header, which is b and starts at h.HeaderLen. It returns
// the reason for dropping the datagram.
func (s *Stack) options(now time.Duration, h *Header, p *packet.Buffer, b []byte) *stats.Counter {
	count, padding := 0, 0
	for i := 2; i < len(b); {
		n := 1
		if b[i] != optionPad1 {
			if n = optionLen(b[i:]); n == 0 {
				s.badParameter(now, h, p, codeBadField, h.HeaderLen+min(i+1, len(b)-1))
				return &s.stats.DropOption
			}
		}
		if b[i] <= optionPadN {
			padding += n
		} else {
			padding = 0
			count++
			if b[i] == optionRouterAlert && h.Protocol == NextHopByHop && bytes.Equal(b[i+1:i+n], []byte{2, 0, alertMLD}) {
				h.RouterAlert = true
			}
			if drop := s.unknownOption(now, h, p, b[i], h.HeaderLen+i); drop != nil {
				return drop
			}
		}
		if padding > maxPadding || count > maxOptions {
			return &s.stats.DropLimit
		}
		i += n
	}
	return nil
}

// optionLen is the length of the option at the start of b, which is not Pad1; 0 if b does not hold all of it.
func optionLen(b []byte) int {
	if len(b) < 2 || 2+int(b[1]) > len(b) {
		return 0
	}
	return 2 + int(b[1])
}

// unknownOption performs the action of an unknown option at the index at of p.
func (s *Stack) unknownOption(now time.Duration, h *Header, p *packet.Buffer, typ uint8, at int) *stats.Counter {
	switch action := typ >> 6; {
	case action == actionSkip:
		return nil
	case action == actionReport, action == actionReportUnicast && h.Cast == packet.Unicast:
		s.badParameter(now, h, p, codeUnknownOption, at)
	}
	return &s.stats.DropUnknownOption
}
