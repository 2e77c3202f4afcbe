package udp

import (
	"encoding/binary"
)

// HeaderLen is the length of the UDP header in bytes.
const HeaderLen = 8

// checksumOffset is where the checksum field is in the header.
const checksumOffset = 6

// Header is a UDP header (RFC 768).
type Header struct {
	SrcPort, DstPort uint16
	Length           uint16 // of header and payload in bytes
	Checksum         uint16 // 0: none was computed
}

// Parse reads the header at the start of b. It returns false when b is too short for one.
func (h *Header) Parse(b []byte) bool {
	if len(b) < HeaderLen {
		return false
	}
	h.SrcPort = binary.BigEndian.Uint16(b)
	h.DstPort = binary.BigEndian.Uint16(b[2:])
	h.Length = binary.BigEndian.Uint16(b[4:])
	h.Checksum = binary.BigEndian.Uint16(b[checksumOffset:])
	return true
}

// Put writes the header to the first HeaderLen bytes of b.
func (h *Header) Put(b []byte) {
	binary.BigEndian.PutUint16(b, h.SrcPort)
	binary.BigEndian.PutUint16(b[2:], h.DstPort)
	binary.BigEndian.PutUint16(b[4:], h.Length)
	binary.BigEndian.PutUint16(b[checksumOffset:], h.Checksum)
}

// fieldValue is the checksum field for a sum over pseudo-header and datagram. Zero means "no checksum", so a computed zero is sent as
// 0xffff (RFC 768).
func fieldValue(sum uint16) uint16 {
	if sum == 0xffff {
		return 0xffff
	}
	return ^sum
}
