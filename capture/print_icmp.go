package capture

import (
	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
)

// icmp prints an ICMP message (RFC 792) of length bytes.
func (p *Printer) icmp(t *text, b []byte, length int) {
	t.layer = "icmp"
	t.printf("ICMP ")
	kind, code := t.u8(b, 0), t.u8(b, 1)
	switch kind {
	case icmp.EchoReply, icmp.EchoRequest:
		name := map[uint8]string{icmp.EchoReply: "reply", icmp.EchoRequest: "request"}[kind]
		t.printf("echo %s, id %d, seq %d", name, t.u16(b, 4), t.u16(b, 6))
	case icmp.Unreachable:
		unreachable(t, code, b)
	case icmp.TimeExceeded:
		t.printf("%s", named(map[uint8]string{0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}, code, "time exceeded-#%d"))
	default:
		t.printf("type %d code %d", kind, code)
	}
	t.printf(", length %d", length)
	if !t.verbose {
		return
	}
	if length <= len(b) && checksum.Sum(b[:length], 0) != 0xffff {
		t.printf(" (wrong icmp cksum %x (->%x)!)", t.u16(b, 2), shouldBe(b[:length], 2, 0))
	}
	if (kind == icmp.Unreachable || kind == icmp.TimeExceeded) && len(b) > 8 {
		t.printf("\n\t")
		p.ip(t, b[8:])
	}
}

// unreachable prints a destination unreachable that quotes the start of a datagram.
func unreachable(t *text, code uint8, b []byte) {
	dst := t.addr4(b, 8+16)
	var h ipv4.Header
	if t.cut || !h.Parse(b[8:]) {
		t.printf("unreachable - #%d", code)
		return
	}
	switch code {
	case 0, 1:
		t.printf("%s %s unreachable", map[uint8]string{0: "net", 1: "host"}[code], dst)
	case 2:
		t.printf("%s protocol %d unreachable", dst, h.Protocol)
	case 3:
		t.printf("%s %s port %d unreachable", dst, transportName(h.Protocol), t.u16(b, 8+h.Len()+2))
	case 4:
		t.printf("%s unreachable - need to frag", dst)
		if mtu := t.u16(b, 6); mtu != 0 {
			t.printf(" (mtu %d)", mtu)
		}
	default:
		t.printf("%s unreachable - #%d", dst, code)
	}
}

// transportName names the protocol of the ports in an unreachable.
func transportName(n uint8) string {
	return named(map[uint8]string{ip.ProtocolTCP: "tcp", ip.ProtocolUDP: "udp"}, n, "protocol %d")
}
