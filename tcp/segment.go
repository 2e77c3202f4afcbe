package tcp

import (
	"fmt"
	"strings"

	"tunstack/internal/packet"
)

// Flags are the control bits of the header (RFC 9293 section 3.1).
type Flags uint8

const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all bits of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// String is tcpdump's notation: "S", "S.", "P.", ".".
func (f Flags) String() string {
	var b strings.Builder
	for _, x := range [...]struct {
		bit  Flags
		char byte
	}{{FIN, 'F'}, {SYN, 'S'}, {RST, 'R'}, {PSH, 'P'}, {ACK, '.'}, {URG, 'U'}, {ECE, 'E'}, {CWR, 'W'}} {
		if f.Has(x.bit) {
			b.WriteByte(x.char)
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// Segment is a parsed TCP segment. The fields that matter most in a debugger come first.
type Segment struct {
	Flags            Flags
	Seq, Ack         Seq
	Wnd              uint16 // as in the header, not scaled
	Urg              uint16
	SrcPort, DstPort uint16
	Options          Options
	Payload, Wrap    []byte // the data; Wrap continues Payload if data to be sent spans two pages of the send buffer
	MSS              int    // payload in bytes of each segment of a super-segment (TSO); else 0
	ECT              bool   // send as ECN-capable: ECT(0) in the IP header (RFC 3168 section 5)
	CE               bool   // arrived with a congestion mark in the IP header

	// Buffer, if not nil, ends with Payload. Input may take it over to queue the payload without a copy, and then sets it to nil.
	Buffer *packet.Buffer
}

// DataLen is the length of the data in bytes.
func (s *Segment) DataLen() int { return len(s.Payload) + len(s.Wrap) }

// Len is SEG.LEN: the number of sequence numbers that the segment occupies, SYN and FIN included.
func (s *Segment) Len() int {
	n := s.DataLen()
	if s.Flags.Has(SYN) {
		n++
	}
	if s.Flags.Has(FIN) {
		n++
	}
	return n
}

// End is the sequence number after the segment.
func (s *Segment) End() Seq { return s.Seq.Add(s.Len()) }

// String is the notation of the test scripts, which follows tcpdump:
//
//	S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK,wscale 5>
//	P. seq 1001:1011(10) ack 5001 win 512
func (s *Segment) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v seq %d", s.Flags, s.Seq)
	if n := s.DataLen(); n > 0 {
		fmt.Fprintf(&b, ":%d(%d)", s.Seq.Add(n), n)
	}
	if s.Flags.Has(ACK) {
		fmt.Fprintf(&b, " ack %d", s.Ack)
	}
	fmt.Fprintf(&b, " win %d", s.Wnd)
	if s.Flags.Has(URG) {
		fmt.Fprintf(&b, " urg %d", s.Urg)
	}
	if o := s.Options.String(); o != "" {
		fmt.Fprintf(&b, " <%s>", o)
	}
	if s.ECT {
		b.WriteString(" ECT")
	}
	if s.CE {
		b.WriteString(" CE")
	}
	return b.String()
}

// ResetFor fills in r, the RST that answers s if there is no connection (RFC 9293 section 3.10.7.1). It returns false if s is a RST, which gets no
// answer.
func ResetFor(s, r *Segment) bool {
	if s.Flags.Has(RST) {
		return false
	}
	*r = Segment{SrcPort: s.DstPort, DstPort: s.SrcPort}
	if s.Flags.Has(ACK) {
		r.Flags, r.Seq = RST, s.Ack
	} else {
		r.Flags, r.Ack = RST|ACK, s.End()
	}
	return true
}
