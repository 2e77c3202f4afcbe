package capture

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket/layers"

	"tunstack/internal/escape"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/udp"
)

// Printer prints packets in tcpdump's notation, with sequence numbers relative to the first ones of each connection.
type Printer struct {
	source Source
	first  map[ends]numbers
}

// NewPrinter returns a Printer of the packets of a source.
func NewPrinter(s Source) *Printer { return &Printer{s, map[ends]numbers{}} }

// Line returns the line of a packet, without a newline: the local time of day, the packet, and its comment.
func (p *Printer) Line(packet *Packet) string {
	line := packet.At.Local().Format("15:04:05.000000 ") + p.packet(packet.Data)
	if packet.Comment != "" {
		line += "  # " + escape.String(packet.Comment)
	}
	return line
}

func (p *Printer) packet(b []byte) string {
	n := p.source.linkLen()
	if len(b) < n || len(b) == n {
		return fmt.Sprintf("truncated, length %d", len(b))
	}
	kind := layers.EthernetType(0)
	if n > 0 {
		kind = layers.EthernetType(binary.BigEndian.Uint16(b[12:]))
	}
	b = b[n:]
	switch {
	case kind == layers.EthernetTypeARP:
		return arpLine(b)
	case kind == layers.EthernetTypeIPv4, n == 0 && b[0]>>4 == 4:
		return p.ip(b)
	case kind == layers.EthernetTypeIPv6, n == 0 && b[0]>>4 == 6:
		return ip6Line(b)
	}
	return fmt.Sprintf("ethertype 0x%04x, length %d", uint16(kind), len(b))
}

func (p *Printer) ip(b []byte) string {
	var h ipv4.Header
	if !h.Parse(b) || int(h.TotalLen) < h.Len() {
		return fmt.Sprintf("IP truncated, length %d", len(b))
	}
	b = b[h.Len():max(min(int(h.TotalLen), len(b)), h.Len())]
	ends := fmt.Sprintf("IP %s > %s: ", h.Src, h.Dst)
	switch {
	case h.Offset > 0:
		return ends + protocolName(h.Protocol)
	case h.Protocol == ip.ProtocolTCP:
		return p.tcp(&h, b)
	case h.Protocol == ip.ProtocolUDP:
		return udpLine(&h, b)
	case h.Protocol == ip.ProtocolICMP:
		return ends + icmpLine(b)
	}
	return fmt.Sprintf("%s%s %d", ends, protocolName(h.Protocol), len(b))
}

// protocolName returns tcpdump's name of a protocol that it does not decode.
func protocolName(n uint8) string {
	names := map[uint8]string{ip.ProtocolICMP: "icmp", 2: "igmp", ip.ProtocolTCP: "tcp", ip.ProtocolUDP: "udp"}
	if name, ok := names[n]; ok {
		return name
	}
	return fmt.Sprintf("ip-proto-%d", n)
}

func udpLine(h *ipv4.Header, b []byte) string {
	if len(b) < udp.HeaderLen {
		return fmt.Sprintf("IP %s > %s: truncated-udp %d", h.Src, h.Dst, len(b))
	}
	return fmt.Sprintf("IP %s.%d > %s.%d: UDP, length %d", h.Src, binary.BigEndian.Uint16(b), h.Dst,
		binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))-udp.HeaderLen)
}

// ip6Line prints an IPv6 packet, which the host sends to its interface unasked and the stack ignores.
func ip6Line(b []byte) string {
	if len(b) < 40 {
		return fmt.Sprintf("IP6 truncated, length %d", len(b))
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	what := fmt.Sprintf("next-header %d", b[6])
	if b[6] == 58 {
		what = "ICMP6"
	}
	return fmt.Sprintf("IP6 %s > %s: %s, length %d", src, dst, what, binary.BigEndian.Uint16(b[4:]))
}

// arpLine prints an ARP packet for IPv4 on Ethernet (RFC 826).
func arpLine(b []byte) string {
	if len(b) < 28 || b[4] != 6 || b[5] != 4 {
		return fmt.Sprintf("ARP, length %d", len(b))
	}
	sender, target := net.HardwareAddr(b[8:14]), net.HardwareAddr(b[18:24])
	from, to := netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	switch op := binary.BigEndian.Uint16(b[6:]); {
	case op == 1 && [6]byte(target) != [6]byte{}:
		return fmt.Sprintf("ARP, Request who-has %s (%s) tell %s, length %d", to, target, from, len(b))
	case op == 1:
		return fmt.Sprintf("ARP, Request who-has %s tell %s, length %d", to, from, len(b))
	case op == 2:
		return fmt.Sprintf("ARP, Reply %s is-at %s, length %d", from, sender, len(b))
	default:
		return fmt.Sprintf("ARP, operation %d, length %d", op, len(b))
	}
}

// icmpLine prints an ICMP message (RFC 792).
func icmpLine(b []byte) string {
	if len(b) < 8 {
		return fmt.Sprintf("ICMP truncated, length %d", len(b))
	}
	what := fmt.Sprintf("type %d code %d", b[0], b[1])
	switch b[0] {
	case 0, 8:
		name := map[byte]string{0: "reply", 8: "request"}[b[0]]
		what = fmt.Sprintf("echo %s, id %d, seq %d", name, binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]))
	case 3:
		what = unreachable(b[1], binary.BigEndian.Uint16(b[6:]), b[8:])
	case 11:
		what = map[byte]string{0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}[b[1]]
	}
	return fmt.Sprintf("ICMP %s, length %d", what, len(b))
}

// unreachable prints a destination unreachable that quotes the start of a datagram.
func unreachable(code byte, mtu uint16, quote []byte) string {
	var h ipv4.Header
	if !h.Parse(quote) {
		return fmt.Sprintf("unreachable, code %d", code)
	}
	switch code {
	case 0, 1:
		return map[byte]string{0: "net", 1: "host"}[code] + " " + h.Dst.String() + " unreachable"
	case 2:
		return fmt.Sprintf("%s protocol %d unreachable", h.Dst, h.Protocol)
	case 3:
		if ports := quote[h.Len():]; len(ports) >= 4 {
			return fmt.Sprintf("%s %s port %d unreachable", h.Dst, protocolName(h.Protocol), binary.BigEndian.Uint16(ports[2:]))
		}
	case 4:
		return fmt.Sprintf("%s unreachable - need to frag (mtu %d)", h.Dst, mtu)
	}
	return fmt.Sprintf("%s unreachable, code %d", h.Dst, code)
}
