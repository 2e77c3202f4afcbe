package ipv6

import (
	"encoding/binary"
	"net/netip"

	"tunstack/ip"
)

const (
	// HeaderLen is the length of the header without extension headers.
	HeaderLen = 40
	// MaxPayload is the largest value of Payload Length, in bytes; extension headers are part of the payload.
	MaxPayload = 65535

	fragmentHeaderLen = 8
	maxFlowLabel      = 1<<20 - 1

	payloadLenField = 4 // offsets of the fields
	nextHeaderField = 6
	hopLimitField   = 7

	ecnMask = 3 // of Traffic Class (RFC 3168 section 5)
	ecnCE   = 3
)

// Next Header values of extension headers (RFC 8200 section 4).
const (
	NextHopByHop    = 0
	NextRouting     = 43
	NextFragment    = 44
	NextNone        = 59
	NextDestination = 60
)

// Header is a parsed IPv6 header (RFC 8200 section 3) with the extension headers read so far: Protocol is the Next Header value
// of the last of them, and HeaderLen the offset of the header that it announces.
type Header struct {
	ip.Datagram
	NextField int // offset of the byte that holds Protocol
	Offset    int // of a fragment, in bytes
	More      bool
	ID        uint32
}

// parseFixed reads the header at the start of b without its extension headers. It leaves Cast and In unchanged.
func (h *Header) parseFixed(b []byte) bool {
	if len(b) < HeaderLen || b[0]>>4 != 6 {
		return false
	}
	word := binary.BigEndian.Uint32(b)
	h.TOS, h.FlowLabel = uint8(word>>20), word&maxFlowLabel
	h.TotalLen = HeaderLen + int(binary.BigEndian.Uint16(b[payloadLenField:]))
	h.Protocol, h.TTL = b[nextHeaderField], b[hopLimitField]
	h.Src, h.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	h.HeaderLen, h.NextField = HeaderLen, nextHeaderField
	return true
}

// Parse reads the header and the extension headers at the start of b; b may end anywhere after them, as quotes in ICMPv6 errors
// do. It checks only the version. In a fragment that is not the first, Protocol is that of the whole datagram's next header,
// and no byte of that header is there. Addresses have no zones.
func (h *Header) Parse(b []byte) bool { return h.parseFixed(b) && h.skipTo(b, len(b)) }

// skipTo reads extension headers up to the first one that starts at end or later.
func (h *Header) skipTo(b []byte, end int) bool {
	for isExtension(h.Protocol) && h.HeaderLen < end && h.Offset == 0 {
		n := extensionLen(h.Protocol, b[h.HeaderLen:])
		if n == 0 {
			return false
		}
		if h.Protocol == NextFragment {
			h.parseFragment(b[h.HeaderLen:])
		}
		h.next(b, n)
	}
	return h.HeaderLen < end || !isExtension(h.Protocol)
}

// next skips an extension header of n bytes.
func (h *Header) next(b []byte, n int) {
	h.NextField, h.Protocol = h.HeaderLen, b[h.HeaderLen]
	h.HeaderLen += n
}

// parseFragment reads a Fragment header (RFC 8200 section 4.5).
func (h *Header) parseFragment(b []byte) {
	field := binary.BigEndian.Uint16(b[2:])
	h.Offset, h.More = int(field&^7), field&1 != 0
	h.ID = binary.BigEndian.Uint32(b[4:])
}

// isExtension reports whether a Next Header value is that of an extension header with a Next Header field.
func isExtension(protocol uint8) bool {
	switch protocol {
	case NextHopByHop, NextRouting, NextFragment, NextDestination:
		return true
	}
	return false
}

// extensionLen is the length of the extension header at the start of b, 0 if b does not hold all of it.
func extensionLen(protocol uint8, b []byte) int {
	n := fragmentHeaderLen
	switch {
	case len(b) < 8:
		return 0
	case protocol != NextFragment:
		n = (int(b[1]) + 1) * 8
	}
	if n > len(b) {
		return 0
	}
	return n
}

// put writes the header without extension headers into b. Protocol is the Next Header, TotalLen the length of the datagram.
func (h *Header) put(b []byte) {
	_ = b[HeaderLen-1]
	binary.BigEndian.PutUint32(b, 6<<28|uint32(h.TOS)<<20|h.FlowLabel)
	binary.BigEndian.PutUint16(b[payloadLenField:], uint16(h.TotalLen-HeaderLen))
	b[nextHeaderField], b[hopLimitField] = h.Protocol, h.TTL
	src, dst := h.Src.As16(), h.Dst.As16()
	copy(b[8:], src[:])
	copy(b[24:], dst[:])
}
