package capture

import (
	"fmt"
	"time"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
)

// Types of ICMP messages that the stack neither sends nor answers (RFC 792, RFC 950, RFC 1256).
const (
	routerAdvertisement = 9
	routerSolicitation  = 10
	informationRequest  = 15
	informationReply    = 16
	maskRequest         = 17
	maskReply           = 18
)

// icmp prints an ICMP message (RFC 792) of length bytes.
func (p *Printer) icmp(t *text, b []byte, length int) {
	t.layer = "icmp"
	t.printf("ICMP ")
	kind := t.u8(b, 0)
	message4(t, kind, b)
	t.printf(", length %d", length)
	if !t.verbose {
		return
	}
	if length <= len(b) && checksum.Sum(b[:length], 0) != 0xffff {
		t.printf(" (wrong icmp cksum %x (->%x)!)", t.u16(b, 2), shouldBe(b[:length], 2, 0))
	}
	if quotes(kind) && len(b) > 8 {
		t.printf("\n\t")
		p.ip(t, b[8:])
	}
}

// quotes reports whether ICMP messages of a type quote the datagram that they are about.
func quotes(kind uint8) bool {
	switch kind {
	case icmp.Unreachable, icmp.SourceQuench, icmp.Redirect, icmp.TimeExceeded, icmp.ParameterProblem:
		return true
	}
	return false
}

// message4 prints an ICMP message without its length.
func message4(t *text, kind uint8, b []byte) {
	code := t.u8(b, 1)
	switch kind {
	case icmp.EchoReply, icmp.EchoRequest:
		name := map[uint8]string{icmp.EchoReply: "reply", icmp.EchoRequest: "request"}[kind]
		t.printf("echo %s, id %d, seq %d", name, t.u16(b, 4), t.u16(b, 6))
	case icmp.Unreachable:
		unreachable(t, code, b)
	case icmp.Redirect:
		redirect(t, code, b)
	case icmp.TimeExceeded:
		t.printf("%s", named(map[uint8]string{0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}, code, "time exceeded-#%d"))
	case icmp.ParameterProblem:
		if code == 0 {
			t.printf("parameter problem - octet %d", t.u8(b, 4))
		} else {
			t.printf("parameter problem - code %d", code)
		}
	case routerAdvertisement:
		routers(t, b)
	case icmp.Timestamp:
		t.printf("time stamp query id %d seq %d", t.u16(b, 4), t.u16(b, 6))
	case icmp.TimestampReply:
		t.printf("time stamp reply id %d seq %d: org %s, recv %s, xmit %s", t.u16(b, 4), t.u16(b, 6),
			timeOfDay(t.u32(b, 8)), timeOfDay(t.u32(b, 12)), timeOfDay(t.u32(b, 16)))
	case maskReply:
		t.printf("address mask is 0x%08x", t.u32(b, 8))
	default:
		t.printf("%s", named(names4, kind, "type-#%d"))
	}
}

// names4 are tcpdump's names of the ICMP messages that have no further fields.
var names4 = map[uint8]string{
	icmp.SourceQuench: "source quench", routerSolicitation: "router solicitation", informationRequest: "information request",
	informationReply: "information reply", maskRequest: "address mask request",
}

// prohibitions are tcpdump's texts for the codes of a destination unreachable that name only the destination.
var prohibitions = map[uint8]string{
	0: "net %s unreachable", 1: "host %s unreachable", 5: "%s unreachable - source route failed",
	6: "net %s unreachable - unknown", 7: "host %s unreachable - unknown", 8: "%s unreachable - source host isolated",
	9: "net %s unreachable - admin prohibited", 10: "host %s unreachable - admin prohibited",
	11: "net %s unreachable - tos prohibited", 12: "host %s unreachable - tos prohibited",
	13: "host %s unreachable - admin prohibited filter", 14: "host %s unreachable - host precedence violation",
	15: "host %s unreachable - precedence cutoff",
}

// unreachable prints a destination unreachable that quotes the start of a datagram.
func unreachable(t *text, code uint8, b []byte) {
	dst := t.addr4(b, 8+16)
	var h ipv4.Header
	if t.cut || !h.Parse(b[8:]) {
		t.printf("unreachable - #%d", code)
		return
	}
	switch format, ok := prohibitions[code]; {
	case ok:
		t.printf(format, dst)
	case code == 2:
		t.printf("%s protocol %d unreachable", dst, h.Protocol)
	case code == 3:
		t.printf("%s %s port %d unreachable", dst, transportName(h.Protocol), t.u16(b, 8+h.Len()+2))
	case code == icmp.CodeFragNeeded:
		t.printf("%s unreachable - need to frag", dst)
		if mtu := t.u16(b, 6); mtu != 0 {
			t.printf(" (mtu %d)", mtu)
		}
	default:
		t.printf("%s unreachable - #%d", dst, code)
	}
}

// redirect prints a redirect, which quotes the start of a datagram.
func redirect(t *text, code uint8, b []byte) {
	format := named(map[uint8]string{
		0: "redirect %s to net %s", 1: "redirect %s to host %s", 2: "redirect-tos %s to net %s", 3: "redirect-tos %s to host %s",
	}, code, "redirect-#%d %%s to %%s")
	t.printf(format, t.addr4(b, 8+16), t.addr4(b, 4))
}

// routers prints a router advertisement (RFC 1256 section 3).
func routers(t *text, b []byte) {
	n, size, lifetime := int(t.u8(b, 4)), t.u8(b, 5), t.u16(b, 6)
	t.printf("router advertisement lifetime %s %d:", lifetimeText(lifetime), n)
	if size != 2 {
		t.printf(" [size %d]", size)
		return
	}
	for at := 8; n > 0 && !t.cut; n, at = n-1, at+8 {
		t.printf(" {%s %d}", t.addr4(b, at), t.u32(b, at+4))
	}
}

// lifetimeText prints seconds as the clock does, without leading zeros.
func lifetimeText(s uint16) string {
	switch {
	case s < 60:
		return fmt.Sprint(s)
	case s < 3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// timeOfDay prints milliseconds since midnight.
func timeOfDay(ms uint32) string {
	d := time.Duration(ms) * time.Millisecond
	return fmt.Sprintf("%02d:%02d:%02d.%03d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60, ms%1000)
}

// transportName names the protocol of the ports in an unreachable.
func transportName(n uint8) string {
	return named(map[uint8]string{ip.ProtocolTCP: "tcp", ip.ProtocolUDP: "udp"}, n, "protocol %d")
}
