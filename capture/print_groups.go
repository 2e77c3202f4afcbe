package capture

import (
	"net/netip"

	"tunstack/internal/checksum"
)

// recordTypes are the types of group records of IGMPv3 and MLDv2 (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12).
var recordTypes = map[uint8]string{1: "is_in", 2: "is_ex", 3: "to_in", 4: "to_ex", 5: "allow", 6: "block"}

// groupFormat is the form of the messages of one family.
type groupFormat struct {
	addr  func(t *text, b []byte, at int) netip.Addr
	width int // of an address, in bytes
}

var (
	igmpFormat = groupFormat{(*text).addr4, 4}
	mldFormat  = groupFormat{(*text).addr6, 16}
)

// records prints the group records of a report: their number, or with -v all.
func (f groupFormat) records(t *text, b []byte, length int) {
	n := int(t.u16(b, 6))
	t.printf(", %d group record(s)", n)
	if !t.verbose {
		return
	}
	for at := 8; n > 0 && !t.cut; n-- {
		if length < at+4+f.width {
			t.printf(" [invalid number of groups]")
			return
		}
		sources := int(t.u16(b, at+2))
		t.printf(" [gaddr %s %s", f.addr(t, b, at+4), named(recordTypes, t.u8(b, at), " [v2-report-#%d]"))
		if at += 4 + f.width*(1+sources); length < at {
			t.printf(" [invalid number of sources %d]", sources)
			return
		}
		t.printf(", %d source(s)]", sources)
	}
}

// sources prints the number of sources of a query, which is at an offset.
func (f groupFormat) sources(t *text, b []byte, at, length int) {
	switch n := int(t.u16(b, at)); {
	case n > 0 && length < at+2+n*f.width:
		t.printf(" [invalid number of sources]")
	case n > 0:
		t.printf(", %d source(s)", n)
	}
	t.printf("]")
}

// listener prints a message of MLD (RFC 2710, RFC 3810).
func listener(t *text, kind uint8, b []byte, length int) {
	const lenV1, lenV2 = 24, 28
	switch {
	case kind == listenerReport2:
		mldFormat.records(t, b, length)
	case kind != listenerQuery || length == lenV1:
		t.printf("max resp delay: %d addr: %s", t.u16(b, 4), t.addr6(b, 8))
	case length < lenV2:
		t.printf(" unknown-version (len %d) ", length)
	default:
		t.printf(" v2")
		if t.verbose {
			t.printf(" [max resp delay=%d]", floating(uint32(t.u16(b, 4)), 16))
		}
		t.printf(" [gaddr %s", t.addr6(b, 8))
		if t.verbose {
			querier(t, t.u8(b, 24), t.u8(b, 25))
		}
		mldFormat.sources(t, b, 26, length)
	}
}

// querier prints the flags and the query interval of the router that queries.
func querier(t *text, flags, interval uint8) {
	if flags&8 != 0 {
		t.printf(" sflag")
	}
	if robustness := flags & 7; robustness != 0 {
		t.printf(" robustness=%d", robustness)
	}
	t.printf(" qqi=%d", floating(uint32(interval), 8))
}

// floating decodes a time of a query: a field of width bits is a number, or with its first bit set an exponent of three bits and a
// mantissa (RFC 3376 section 4.1.1, RFC 3810 section 5.1.3).
func floating(v uint32, width int) uint32 {
	mantissa := width - 4
	if v>>(width-1) == 0 {
		return v
	}
	return (v&(1<<mantissa-1) | 1<<mantissa) << (v>>mantissa&7 + 3)
}

// igmp prints a message of IGMP (RFC 1112, RFC 2236, RFC 3376).
func (p *Printer) igmp(t *text, b []byte, length int) {
	t.layer = "igmp"
	switch kind := t.u8(b, 0); kind {
	case 0x11:
		t.printf("igmp query")
		igmpQuery(t, b, length)
	case 0x12:
		t.printf("igmp v1 report %s", t.addr4(b, 4))
	case 0x16:
		t.printf("igmp v2 report %s", t.addr4(b, 4))
	case 0x17:
		t.printf("igmp leave %s", t.addr4(b, 4))
	case 0x22:
		t.printf("igmp v3 report")
		igmpFormat.records(t, b, length)
	default:
		t.printf("igmp-%d", kind)
	}
	if t.verbose && length >= 4 && length <= len(b) && checksum.Sum(b[:length], 0) != 0xffff {
		t.printf(" bad igmp cksum %x!", t.u16(b, 2))
	}
}

// igmpQuery prints a query; its length tells version 3 from the others, and its time version 2 from 1.
func igmpQuery(t *text, b []byte, length int) {
	const defaultTime = 100 // in tenths of a second
	tenths, group := t.u8(b, 1), t.addr4(b, 4)
	switch {
	case length >= 12:
		t.printf(" v3")
		if tenths != defaultTime {
			t.printf(" [max resp time %.1fs]", float64(floating(uint32(tenths), 8))/10)
		}
		if !group.IsUnspecified() {
			t.printf(" [gaddr %s", group)
			igmpFormat.sources(t, b, 10, length)
		}
		return
	case tenths == 0:
		t.printf(" v1")
	case tenths == defaultTime:
		t.printf(" v2")
	default:
		t.printf(" v2 [max resp time %d]", tenths)
	}
	if !group.IsUnspecified() {
		t.printf(" [gaddr %s]", group)
	}
}
