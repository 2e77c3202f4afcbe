package capture

import (
	"encoding/binary"

	"tunstack/ip"
	"tunstack/ipv6"
)

// ip6 prints an IPv6 datagram, its extension headers one by one.
func (p *Printer) ip6(t *text, b []byte) {
	t.layer = "ip6"
	if len(b) < ipv6.HeaderLen {
		t.printf("IP6")
		t.cut = true
		return
	}
	t.printf("IP6 ")
	if version := b[0] >> 4; version != 6 {
		t.printf("version error: %d != 6", version)
		return
	}
	d := ip.Datagram{
		Protocol: b[6], TTL: b[7], TotalLen: ipv6.HeaderLen + int(binary.BigEndian.Uint16(b[4:])), HeaderLen: ipv6.HeaderLen,
		Src: t.addr6(b, 8), Dst: t.addr6(b, 24),
	}
	if missing := d.TotalLen - len(b); missing > 0 {
		t.printf("truncated-ip6 - %d bytes missing!", missing)
	}
	if t.verbose {
		header6(t, b)
	}
	if d.Protocol != ip.ProtocolTCP && d.Protocol != ip.ProtocolUDP {
		t.printf("%s > %s: ", d.Src, d.Dst)
	}
	p.chain(t, &d, b[:min(d.TotalLen, len(b))])
}

// header6 prints the IPv6 header at the start of b.
func header6(t *text, b []byte) {
	t.printf("(")
	word := t.u32(b, 0)
	if class := word >> 20 & 0xff; class != 0 {
		t.printf("class 0x%02x, ", class)
	}
	if label := word & 0xfffff; label != 0 {
		t.printf("flowlabel 0x%05x, ", label)
	}
	t.printf("hlim %d, next-header %s (%d) payload length: %d) ", t.u8(b, 7), protocolName(t.u8(b, 6)), t.u8(b, 6), t.u16(b, 4))
}

// chain prints the extension headers of the datagram b and the message behind them.
func (p *Printer) chain(t *text, d *ip.Datagram, b []byte) {
	fragment := false
	for {
		rest := b[min(d.HeaderLen, len(b)):]
		n := 8
		switch d.Protocol {
		case ipv6.NextHopByHop, ipv6.NextDestination:
			n = options6(t, d, rest)
		case ipv6.NextRouting:
			n = routing(t, rest)
		case ipv6.NextFragment:
			fragment = true
			fragment6(t, d, rest)
		default:
			p.transport(t, d, rest, d.TotalLen-d.HeaderLen, fragment)
			return
		}
		if !t.has(rest, 0, n) || n == 0 || fragment && (t.u16(rest, 2)&^7 != 0 || len(rest) == n) {
			return
		}
		d.Protocol = rest[0]
		d.HeaderLen += n
		t.layer = "ip6"
	}
}

// options6 prints a header of options, and returns its length in bytes; 0: no header follows that can be printed.
func options6(t *text, d *ip.Datagram, b []byte) int {
	name := "DSTOPT"
	t.layer = "dstopt"
	if d.Protocol == ipv6.NextHopByHop {
		name, t.layer = "HBH", "hbhopt"
		if d.HeaderLen != ipv6.HeaderLen {
			t.printf("[The Hop-by-Hop Options header don't follow the IPv6 header] (invalid)")
			return 0
		}
	}
	n := (int(t.u8(b, 1)) + 1) * 8
	if !t.has(b, 0, n) {
		return 0
	}
	t.printf("%s ", name)
	if t.verbose {
		optionList6(t, b[2:n])
	}
	return n
}

// optionList6 prints the options of a header (RFC 8200 section 4.2).
func optionList6(t *text, b []byte) {
	for len(b) > 0 && !t.cut {
		n := 1
		if b[0] != 0 {
			n = 2 + int(t.u8(b, 1))
		}
		if !t.has(b, 0, n) {
			return
		}
		switch {
		case b[0] == 0:
			t.printf("(pad1)")
		case b[0] == 1:
			t.printf("(padn)")
		case b[0] == 5 && n == 4: // RFC 2711
			t.printf("(rtalert: 0x%04x) ", t.u16(b, 2))
		default:
			t.printf("(opt_type 0x%02x: len=%d)", b[0], n-2)
		}
		b = b[n:]
	}
	t.printf(" ")
}

// routing prints a Routing header, and returns its length as options6 does.
func routing(t *text, b []byte) int {
	t.layer = "rt6"
	length, kind := int(t.u8(b, 1)), t.u8(b, 2)
	t.printf("RT6 (len=%d, type=%d", length, kind)
	if kind == 0 {
		t.printf(" [Deprecated]")
	}
	t.printf(", segleft=%d", t.u8(b, 3))
	switch {
	case kind == 4: // RFC 8754
		t.printf(", last-entry=%d", t.u8(b, 4))
		if flags := t.u8(b, 5); flags != 0 || t.verbose {
			t.printf(", flags=0x%x", flags)
		}
		t.printf(", tag=%x", t.u16(b, 6))
	case kind != 0 && kind != 2:
		t.printf(" (unknown type) (invalid)")
		return 0
	default:
		if reserved := t.u32(b, 4); reserved != 0 || t.verbose {
			t.printf(", rsv=0x%x", reserved)
		}
	}
	if length%2 != 0 {
		t.printf(" (invalid length %d) (invalid)", length)
		return 0
	}
	for i := range length / 2 {
		t.printf(", [%d]%s", i, t.addr6(b, 8+16*i))
	}
	t.printf(") ")
	return (length + 1) * 8
}

// fragment6 prints a Fragment header: the offset of the fragment and its length.
func fragment6(t *text, d *ip.Datagram, b []byte) {
	t.layer = "frag6"
	offset, size := t.u16(b, 2)&^7, d.TotalLen-d.HeaderLen-8
	if t.verbose {
		t.printf("frag (0x%08x:%d|%d)", t.u32(b, 4), offset, size)
	} else {
		t.printf("frag (%d|%d)", offset, size)
	}
	if offset == 0 {
		t.printf(" ")
	}
}
