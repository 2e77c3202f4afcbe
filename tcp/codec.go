package tcp

import (
	"encoding/binary"
	"errors"
)

// HeaderLen is the length of a header without options.
const HeaderLen = 20

// MaxHeaderLen is the length of the longest header.
const MaxHeaderLen = HeaderLen + maxOptionsLen

// maxOptionsLen is the length of the options that the largest data offset allows.
const maxOptionsLen = 40

// ErrHeader is the error of a header that is truncated or has an impossible data offset.
var ErrHeader = errors.New("tcp: malformed header")

// Parse parses the segment in b into s. s.Payload is a part of b. The caller verifies the checksum.
func (s *Segment) Parse(b []byte) error {
	if len(b) < HeaderLen {
		return ErrHeader
	}
	offset := int(b[12]>>4) * 4
	if offset < HeaderLen || offset > len(b) {
		return ErrHeader
	}
	*s = Segment{
		SrcPort: binary.BigEndian.Uint16(b),
		DstPort: binary.BigEndian.Uint16(b[2:]),
		Seq:     Seq(binary.BigEndian.Uint32(b[4:])),
		Ack:     Seq(binary.BigEndian.Uint32(b[8:])),
		Flags:   Flags(b[13]),
		Wnd:     binary.BigEndian.Uint16(b[14:]),
		Urg:     binary.BigEndian.Uint16(b[18:]),
		Payload: b[offset:],
	}
	parseOptions(b[HeaderLen:offset], &s.Options)
	return nil
}

// HeaderLen is the length of the segment's header with its options.
func (s *Segment) HeaderLen() int { return HeaderLen + s.Options.Len() }

// PutHeader writes the header to b, which is HeaderLen bytes long, with a zero checksum.
func (s *Segment) PutHeader(b []byte) {
	binary.BigEndian.PutUint16(b, s.SrcPort)
	binary.BigEndian.PutUint16(b[2:], s.DstPort)
	binary.BigEndian.PutUint32(b[4:], uint32(s.Seq))
	binary.BigEndian.PutUint32(b[8:], uint32(s.Ack))
	b[12] = byte(len(b) / 4 << 4)
	b[13] = byte(s.Flags)
	binary.BigEndian.PutUint16(b[14:], s.Wnd)
	binary.BigEndian.PutUint16(b[16:], 0)
	binary.BigEndian.PutUint16(b[18:], s.Urg)
	s.Options.put(b[HeaderLen:])
}
