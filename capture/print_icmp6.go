package capture

import (
	"net/netip"

	"tunstack/icmp"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

// Types of the messages of MLD (RFC 2710, RFC 3810).
const (
	listenerQuery   = 130
	listenerReport  = 131
	listenerDone    = 132
	listenerReport2 = 143
)

// names6 are tcpdump's names of ICMPv6 messages.
var names6 = map[uint8]string{
	icmp.Unreachable6: "destination unreachable", icmp.PacketTooBig: "packet too big", icmp.TimeExceeded6: "time exceeded in-transit",
	icmp.ParameterProblem6: "parameter problem", icmp.EchoRequest6: "echo request", icmp.EchoReply6: "echo reply",
	listenerQuery: "multicast listener query", listenerReport: "multicast listener report", listenerDone: "multicast listener done",
	nd.TypeRouterSolicitation: "router solicitation", nd.TypeRouterAdvertisement: "router advertisement",
	nd.TypeNeighborSolicitation: "neighbor solicitation", nd.TypeNeighborAdvertisement: "neighbor advertisement",
	nd.TypeRedirect: "redirect", 138: "router renumbering",
	139: "node information query", 140: "node information reply", 141: "inverse neighbor solicitation",
	142: "inverse neighbor advertisement", listenerReport2: "multicast listener report v2", 144: "ha discovery request",
	145: "ha discovery reply", 146: "mobile router solicitation", 147: "mobile router advertisement",
}

// icmp6 prints an ICMPv6 message (RFC 4443) of length bytes.
func (p *Printer) icmp6(t *text, d *ip.Datagram, b []byte, length int, fragment bool) {
	t.layer = "icmp6"
	if length == 0 {
		t.printf("ICMP6, length 0 (invalid)")
		return
	}
	if t.verbose && !fragment && length <= len(b) {
		sumText(t, d, b[:length], 2, "[icmp6 sum ok] ", "[bad icmp6 cksum 0x%04x -> 0x%04x!] ")
	}
	kind := t.u8(b, 0)
	t.printf("ICMP6, %s", named(names6, kind, "unknown icmp6 type (%d)"))
	switch {
	case kind < icmp.EchoRequest6:
		error6(t, kind, b)
	case kind <= icmp.EchoReply6:
		t.printf(", id %d, seq %d", t.u16(b, 4), t.u16(b, 6))
	case kind <= listenerDone || kind == listenerReport2:
		listener(t, kind, b, length)
	case kind <= nd.TypeRedirect:
		discovery(t, kind, b, length)
		if t.verbose {
			return // with the length in its first line
		}
	}
	if !t.verbose || names6[kind] == "" {
		t.printf(", length %d", length)
	}
}

// error6 prints an error, which quotes the start of a datagram behind its own header.
func error6(t *text, kind uint8, b []byte) {
	const quoted = 8
	code, dst := t.u8(b, 1), func() netip.Addr { return t.addr6(b, quoted+24) }
	switch kind {
	case icmp.Unreachable6:
		unreachable6Text(t, code, b[min(quoted, len(b)):])
	case icmp.PacketTooBig:
		t.printf(", mtu %d", t.u32(b, 4))
	case icmp.TimeExceeded6:
		switch code {
		case 0:
			t.printf(" for %s", dst())
		case 1:
			t.printf(" (reassembly)")
		default:
			t.printf(", unknown code (%d)", code)
		}
	case icmp.ParameterProblem6:
		field, known := map[uint8]string{0: "erroneous", 1: "next header", 2: "option", 3: "incomplete header chain"}[code]
		if dst(); known {
			t.printf(", %s - octet %d", field, t.u32(b, 4))
		} else {
			t.printf(", code-#%d", code)
		}
	}
}

// unreachable6Text prints the reason and the destination of a quoted datagram that went nowhere.
func unreachable6Text(t *text, code uint8, quote []byte) {
	reasons := map[uint8]string{
		0: "unreachable route", 1: " unreachable prohibited", 2: "beyond scope", 3: "unreachable address", 4: "unreachable port",
	}
	t.printf(", %s", named(reasons, code, "unknown unreach code (%d)"))
	dst := t.addr6(quote, 24)
	switch code {
	case 0, 1, 3:
		t.printf(" %s", dst)
	case 2:
		t.printf(" %s, source address %s", dst, t.addr6(quote, 8))
	case 4:
		var h ipv6.Header
		if t.cut || !h.Parse(quote) || h.Offset > 0 {
			t.cut = true
			return
		}
		t.printf(", %s %s port %d", dst, transportName(h.Protocol), t.u16(quote, h.HeaderLen+2))
	}
}
