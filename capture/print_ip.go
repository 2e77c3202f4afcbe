package capture

import (
	"fmt"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/udp"
)

// ip prints an IPv4 datagram.
func (p *Printer) ip(t *text, b []byte) {
	t.layer = "ip"
	var h ipv4.Header
	if !h.Parse(b) {
		t.printf("IP")
		t.cut = true
		return
	}
	t.printf("IP ")
	if missing := h.TotalLen - len(b); missing > 0 {
		t.printf("truncated-ip - %d bytes missing! ", missing)
	}
	if h.TotalLen < h.Len() {
		t.printf("bad-len %d", h.TotalLen)
		return
	}
	if t.verbose {
		header4(t, &h, b)
	}
	rest := b[h.Len():min(h.TotalLen, len(b))]
	if h.Offset > 0 {
		t.printf("%s > %s: ip-proto-%d", h.Src, h.Dst, h.Protocol)
		return
	}
	if h.Protocol != ip.ProtocolTCP && h.Protocol != ip.ProtocolUDP {
		t.printf("%s > %s: ", h.Src, h.Dst)
	}
	p.transport(t, &h.Datagram, rest, h.TotalLen-h.Len(), h.MF)
}

// header4 prints the header of an IPv4 datagram.
func header4(t *text, h *ipv4.Header, b []byte) {
	ecn := []string{"", ",ECT(1)", ",ECT(0)", ",CE"}[h.TOS&3]
	flags := []bit{{1 << 0, "+"}, {1 << 1, "DF"}, {1 << 2, "rsvd"}}
	set := uint32(b[6]>>5&1 | b[6]>>6&1<<1 | b[6]>>7<<2)
	t.printf("(tos 0x%x%s", h.TOS, ecn)
	if h.TTL > 0 {
		t.printf(", ttl %d", h.TTL)
	}
	t.printf(", id %d, offset %d, flags [%s], proto %s (%d), length %d", h.ID, h.Offset, flagList(flags, set, "none"),
		protocolName(h.Protocol), h.Protocol, h.TotalLen)
	if len(h.Options) > 0 {
		t.printf(", options (%d bytes)", len(h.Options))
	}
	if header := b[:h.Len()]; checksum.Sum(header, 0) != 0xffff {
		t.printf(", bad cksum %x (->%x)!", t.u16(b, 10), shouldBe(header, 10, 0))
	}
	t.printf(")\n    ")
}

// shouldBe is the right value of the checksum at an offset of b; pseudo is the sum of the pseudo-header.
func shouldBe(b []byte, at int, pseudo uint16) uint16 {
	return ^checksum.Add(checksum.Sum(b, pseudo), ^checksum.Sum(b[at:at+2], 0))
}

// transport prints the message of a datagram: length bytes, of which b may be the first only. Of a fragment it is a part.
func (p *Printer) transport(t *text, d *ip.Datagram, b []byte, length int, fragment bool) {
	switch d.Protocol {
	case ip.ProtocolTCP:
		p.tcp(t, d, b, length, fragment)
	case ip.ProtocolUDP:
		p.udp(t, d, b, length, fragment)
	case ip.ProtocolICMP:
		p.icmp(t, b, length)
	case ip.ProtocolIGMP:
		p.igmp(t, b, length)
	case ip.ProtocolICMPv6:
		p.icmp6(t, d, b, length, fragment)
	case ipv6.NextNone:
		t.printf("no next header")
	default:
		t.printf(" ip-proto-%d %d", d.Protocol, length)
	}
}

// protocolNames are tcpdump's names of protocol numbers.
var protocolNames = map[uint8]string{
	ipv6.NextHopByHop: "Options", ip.ProtocolICMP: "ICMP", ip.ProtocolIGMP: "IGMP", 4: "IPIP", ip.ProtocolTCP: "TCP",
	ip.ProtocolUDP: "UDP", 41: "IPv6", ipv6.NextRouting: "Routing", ipv6.NextFragment: "Fragment", 46: "RSVP", 47: "GRE", 50: "ESP",
	51: "AH", ip.ProtocolICMPv6: "ICMPv6", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP",
}

func protocolName(n uint8) string {
	if name, ok := protocolNames[n]; ok {
		return name
	}
	return "unknown"
}

// portsText is the two ends of a message with ports. Behind extension headers the addresses have been printed already.
func portsText(d *ip.Datagram, src, dst uint16) string {
	if d.Src.Is6() && d.HeaderLen > ipv6.HeaderLen {
		return fmt.Sprintf("%d > %d: ", src, dst)
	}
	return fmt.Sprintf("%s.%d > %s.%d: ", d.Src, src, d.Dst, dst)
}

func (p *Printer) udp(t *text, d *ip.Datagram, b []byte, length int, fragment bool) {
	t.layer = "udp"
	t.printf("%s", portsText(d, t.u16(b, 0), t.u16(b, 2)))
	if length < udp.HeaderLen {
		t.printf("truncated-udp %d", length)
		return
	}
	size := int(t.u16(b, 4))
	if size < udp.HeaderLen {
		t.printf("truncated-udplength %d", size)
		return
	}
	if t.verbose && !fragment && d.Src.Is6() && length <= len(b) {
		// tcpdump says so of IPv6, where the checksum is mandatory.
		sumText(t, d, b[:length], 6, "[udp sum ok] ", "[bad udp cksum 0x%04x -> 0x%04x!] ")
	}
	t.printf("UDP, length %d", size-udp.HeaderLen)
}

// sumText prints one of two texts, by whether the checksum at an offset of the message b is right. bad is a format of its value and of
// the right value.
func sumText(t *text, d *ip.Datagram, b []byte, at int, good, bad string) {
	pseudo := d.PseudoSum(len(b))
	if checksum.Sum(b, pseudo) == 0xffff {
		t.printf("%s", good)
		return
	}
	t.printf(bad, t.u16(b, at), shouldBe(b, at, pseudo))
}
