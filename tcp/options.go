package tcp

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Option kinds.
const (
	kindEnd           = 0
	kindNop           = 1
	kindMSS           = 2
	kindWindowScale   = 3
	kindSackPermitted = 4
	kindSack          = 5
	kindTimestamps    = 8
)

// MaxWindowScale is the largest shift (RFC 7323 section 2.3).
const MaxWindowScale = 14

// Options are the TCP options of a segment. parseOptions ignores other kinds.
type Options struct {
	MSS           uint16 // 0: absent
	HasScale      bool   // window scale present
	Scale         uint8  // at most MaxWindowScale
	SackPermitted bool
	HasTS         bool // timestamps present (RFC 7323 section 3)
	TSVal, TSEcr  uint32
	SackCount     uint8
	Sack          [4]Range // the first SackCount are valid (RFC 2018 section 3)
}

// parseOptions parses the options of a header into o. It stops at the first malformed length and keeps the options before it (RFC 9293
// section 3.1, MUST-7).
func parseOptions(b []byte, o *Options) {
	for len(b) > 0 {
		kind := b[0]
		if kind == kindEnd {
			return
		}
		if kind == kindNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		o.parse(kind, b[2:b[1]])
		b = b[b[1]:]
	}
}

// parse parses the value v of one option. It ignores an option of the wrong length.
func (o *Options) parse(kind byte, v []byte) {
	switch {
	case kind == kindMSS && len(v) == 2:
		o.MSS = binary.BigEndian.Uint16(v)
	case kind == kindWindowScale && len(v) == 1:
		o.HasScale, o.Scale = true, min(v[0], MaxWindowScale)
	case kind == kindSackPermitted && len(v) == 0:
		o.SackPermitted = true
	case kind == kindTimestamps && len(v) == 8:
		o.HasTS, o.TSVal, o.TSEcr = true, binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	case kind == kindSack && len(v)%8 == 0:
		o.SackCount = 0
		for ; len(v) > 0 && int(o.SackCount) < len(o.Sack); v = v[8:] {
			o.Sack[o.SackCount] = Range{Seq(binary.BigEndian.Uint32(v)), Seq(binary.BigEndian.Uint32(v[4:]))}
			o.SackCount++
		}
	}
}

// Len is the length of the options in a header in bytes, padded to a multiple of 4.
func (o *Options) Len() int {
	n := 0
	if o.MSS != 0 {
		n += 4
	}
	if o.HasScale {
		n += 4
	}
	switch {
	case o.HasTS:
		n += 12 // SackPermitted replaces the two NOPs
	case o.SackPermitted:
		n += 4
	}
	if o.SackCount > 0 {
		n += 4 + 8*int(o.SackCount)
	}
	return n
}

// put writes the options to b, which is Len bytes long. NOPs before an option align it to 4 bytes.
func (o *Options) put(b []byte) {
	if o.MSS != 0 {
		b[0], b[1] = kindMSS, 4
		binary.BigEndian.PutUint16(b[2:], o.MSS)
		b = b[4:]
	}
	if o.SackPermitted || o.HasTS {
		b[0], b[1] = kindNop, kindNop
		if o.SackPermitted {
			b[0], b[1] = kindSackPermitted, 2
		}
		if o.HasTS {
			b[2], b[3] = kindTimestamps, 10
			binary.BigEndian.PutUint32(b[4:], o.TSVal)
			binary.BigEndian.PutUint32(b[8:], o.TSEcr)
			b = b[12:]
		} else {
			b[2], b[3] = kindNop, kindNop
			b = b[4:]
		}
	}
	if o.HasScale {
		b[0], b[1], b[2], b[3] = kindNop, kindWindowScale, 3, o.Scale
		b = b[4:]
	}
	if o.SackCount > 0 {
		b[0], b[1], b[2], b[3] = kindNop, kindNop, kindSack, 2+8*o.SackCount
		for i, r := range o.Sack[:o.SackCount] {
			binary.BigEndian.PutUint32(b[4+8*i:], uint32(r.Start))
			binary.BigEndian.PutUint32(b[8+8*i:], uint32(r.End))
		}
	}
}

// String is the notation of the test scripts: "mss 1460,sackOK,TS val 1 ecr 0,wscale 7".
func (o *Options) String() string {
	var parts []string
	if o.MSS != 0 {
		parts = append(parts, fmt.Sprintf("mss %d", o.MSS))
	}
	if o.SackPermitted {
		parts = append(parts, "sackOK")
	}
	if o.HasTS {
		parts = append(parts, fmt.Sprintf("TS val %d ecr %d", o.TSVal, o.TSEcr))
	}
	if o.HasScale {
		parts = append(parts, fmt.Sprintf("wscale %d", o.Scale))
	}
	if o.SackCount > 0 {
		s := fmt.Sprintf("sack %d", o.SackCount)
		for _, r := range o.Sack[:o.SackCount] {
			s += fmt.Sprintf(" {%d:%d}", r.Start, r.End)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ",")
}
