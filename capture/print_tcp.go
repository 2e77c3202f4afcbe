package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"tunstack/ip"
	"tunstack/tcp"
)

// numbers are the origins of the relative sequence and acknowledgment numbers of one direction.
type numbers struct {
	seq, ack uint32
	both     bool // both are known: a SYN shows only seq
}

// maxFirst bounds the connections in Printer.first.
const maxFirst = 1 << 16

// tcp prints a segment of length bytes, or the first fragment of one.
func (p *Printer) tcp(t *text, d *ip.Datagram, b []byte, length int, fragment bool) {
	t.layer = "tcp"
	var s tcp.Segment
	if s.Parse(b) != nil {
		t.printf("%s > %s: truncated-tcp %d", d.Src, d.Dst, len(b))
		return
	}
	from := p.numbers(ends{netip.AddrPortFrom(d.Src, s.SrcPort), netip.AddrPortFrom(d.Dst, s.DstPort)}, &s)
	t.printf("%sFlags [%s]", portsText(d, s.SrcPort, s.DstPort), s.Flags)
	if t.verbose && !fragment && length <= len(b) {
		t.printf(", cksum 0x%04x", t.u16(b, 16))
		sumText(t, d, b[:length], 16, " (correct)", " (incorrect -> 0x%04[2]x)")
	}
	seq, header := uint32(s.Seq), len(b)-s.DataLen()
	size := max(length-header, 0)
	if from.shown {
		seq -= from.seq
	}
	if size > 0 || s.Flags&(tcp.SYN|tcp.FIN|tcp.RST) != 0 {
		t.printf(", seq %d", seq)
	}
	if size > 0 {
		t.printf(":%d", seq+uint32(size))
	}
	if s.Flags.Has(tcp.ACK) {
		ack := uint32(s.Ack)
		if from.shown {
			ack -= from.ack
		}
		t.printf(", ack %d", ack)
	}
	t.printf(", win %d", s.Wnd)
	if s.Flags.Has(tcp.URG) {
		t.printf(", urg %d", s.Urg)
	}
	if options := b[tcp.HeaderLen:header]; len(options) > 0 {
		t.printf(", options [%s]", optionList(options, from.ack))
	}
	t.printf(", length %d", size)
}

// relative holds the origins of a segment's numbers. shown is false for the first segment and for a SYN, whose numbers are absolute.
type relative struct {
	numbers
	shown bool
}

func (p *Printer) numbers(e ends, s *tcp.Segment) relative {
	back := ends{e.remote, e.local}
	n, known := p.first[e]
	if known && n.both && !s.Flags.Has(tcp.SYN) {
		return relative{n, true}
	}
	if len(p.first) >= maxFirst {
		clear(p.first)
	}
	n = numbers{uint32(s.Seq), uint32(s.Ack) - 1, s.Flags.Has(tcp.ACK)}
	p.first[e], p.first[back] = n, numbers{n.ack, n.seq, n.both}
	return relative{n, false}
}

// optionList prints the options of a header. SACK blocks are relative to ack.
func optionList(b []byte, ack uint32) string {
	var list []string
	for len(b) > 0 {
		size := 1
		if b[0] > 1 {
			if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
				return strings.Join(append(list, "malformed"), ",")
			}
			size = int(b[1])
		}
		list = append(list, option(b[:size], ack))
		if b[0] == 0 {
			break
		}
		b = b[size:]
	}
	return strings.Join(list, ",")
}

func option(b []byte, ack uint32) string {
	switch {
	case b[0] == 0:
		return "eol"
	case b[0] == 1:
		return "nop"
	case b[0] == 2 && len(b) == 4:
		return fmt.Sprintf("mss %d", binary.BigEndian.Uint16(b[2:]))
	case b[0] == 3 && len(b) == 3:
		return fmt.Sprintf("wscale %d", b[2])
	case b[0] == 4 && len(b) == 2:
		return "sackOK"
	case b[0] == 5 && len(b)%8 == 2:
		list := fmt.Sprintf("sack %d ", len(b)/8)
		for b = b[2:]; len(b) > 0; b = b[8:] {
			list += fmt.Sprintf("{%d:%d}", binary.BigEndian.Uint32(b)-ack, binary.BigEndian.Uint32(b[4:])-ack)
		}
		return list
	case b[0] == 8 && len(b) == 10:
		return fmt.Sprintf("TS val %d ecr %d", binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:]))
	}
	return fmt.Sprintf("unknown-%d 0x%x", b[0], b[2:])
}
