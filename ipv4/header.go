package ipv4

import (
	"encoding/binary"
	"net/netip"

	"tunstack/internal/checksum"
	"tunstack/ip"
)

const (
	// HeaderLen is the length of a header without options.
	HeaderLen = 20
	// MaxDatagram is the largest datagram: the largest value of Total Length, and the largest datagram reassembled.
	MaxDatagram = ip.MaxDatagram
	// MaxHeaderLen is the length of a header with as many options as it can hold.
	MaxHeaderLen = 60

	flagDF     = 0x4000
	flagMF     = 0x2000
	offsetMask = 0x1fff

	ecnMask = 3 // of TOS (RFC 3168 section 5)
	ecnCE   = 3
)

// Header is a parsed IPv4 header (RFC 791 section 3.1). Options are raw, as received, and valid as long as the packet.
type Header struct {
	ip.Datagram
	ID     uint16
	DF, MF bool
	Offset uint16 // of the fragment, in bytes
}

// Len is the header's length in bytes, options and their padding included.
func (h *Header) Len() int { return HeaderLen + (len(h.Options)+3)&^3 }

// Parse reads the header at the start of b; b may end anywhere after the header, as quotes in ICMP errors do. It checks only
// the version and the header length, and leaves Cast and In unchanged.
func (h *Header) Parse(b []byte) bool {
	if len(b) < HeaderLen || b[0]>>4 != 4 {
		return false
	}
	n := int(b[0]&15) * 4
	if n < HeaderLen || n > len(b) {
		return false
	}
	fragment := binary.BigEndian.Uint16(b[6:])
	h.TOS = b[1]
	h.TotalLen, h.HeaderLen = int(binary.BigEndian.Uint16(b[2:])), n
	h.ID = binary.BigEndian.Uint16(b[4:])
	h.DF, h.MF = fragment&flagDF != 0, fragment&flagMF != 0
	h.Offset = fragment & offsetMask * 8
	h.TTL, h.Protocol = b[8], b[9]
	h.Src, h.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	h.Options = b[HeaderLen:n:n]
	return true
}

// put writes the header with its checksum into b, which is Len bytes long.
func (h *Header) put(b []byte) {
	fragment := h.Offset / 8
	if h.DF {
		fragment |= flagDF
	}
	if h.MF {
		fragment |= flagMF
	}
	b[0], b[1] = 4<<4|byte(len(b)/4), h.TOS
	binary.BigEndian.PutUint16(b[2:], uint16(h.TotalLen))
	binary.BigEndian.PutUint16(b[4:], h.ID)
	binary.BigEndian.PutUint16(b[6:], fragment)
	b[8], b[9] = h.TTL, h.Protocol
	src, dst := h.Src.As4(), h.Dst.As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	clear(b[HeaderLen+copy(b[HeaderLen:], h.Options):])
	putChecksum(b)
}

// putChecksum recomputes the checksum of the header b.
func putChecksum(b []byte) {
	b[10], b[11] = 0, 0
	checksum.Put(b[10:], ^checksum.Sum(b, 0))
}
