package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"tunstack/ipv4"
	"tunstack/tcp"
)

// numbers are the origins of the relative sequence and acknowledgment numbers of one direction.
type numbers struct {
	seq, ack uint32
	both     bool // both are known: a SYN shows only seq
}

// maxFirst bounds the connections in Printer.first.
const maxFirst = 1 << 16

// tcp prints a segment.
func (p *Printer) tcp(h *ipv4.Header, b []byte) string {
	var s tcp.Segment
	if s.Parse(b) != nil {
		return fmt.Sprintf("IP %s > %s: truncated-tcp %d", h.Src, h.Dst, len(b))
	}
	from := p.numbers(ends{netip.AddrPortFrom(h.Src, s.SrcPort), netip.AddrPortFrom(h.Dst, s.DstPort)}, &s)
	var l strings.Builder
	fmt.Fprintf(&l, "IP %s.%d > %s.%d: Flags [%s]", h.Src, s.SrcPort, h.Dst, s.DstPort, s.Flags)
	seq, size := uint32(s.Seq), s.DataLen()
	if from.shown {
		seq -= from.seq
	}
	if size > 0 || s.Flags&(tcp.SYN|tcp.FIN|tcp.RST) != 0 {
		fmt.Fprintf(&l, ", seq %d", seq)
	}
	if size > 0 {
		fmt.Fprintf(&l, ":%d", seq+uint32(size))
	}
	if s.Flags.Has(tcp.ACK) {
		ack := uint32(s.Ack)
		if from.shown {
			ack -= from.ack
		}
		fmt.Fprintf(&l, ", ack %d", ack)
	}
	fmt.Fprintf(&l, ", win %d", s.Wnd)
	if s.Flags.Has(tcp.URG) {
		fmt.Fprintf(&l, ", urg %d", s.Urg)
	}
	if options := b[tcp.HeaderLen : len(b)-size]; len(options) > 0 {
		fmt.Fprintf(&l, ", options [%s]", optionList(options, from.ack))
	}
	fmt.Fprintf(&l, ", length %d", size)
	return l.String()
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
