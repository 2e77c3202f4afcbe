package capture

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket/layers"

	"tunstack/internal/escape"
)

// Printer prints packets in tcpdump's notation, with sequence numbers relative to the first ones of each connection.
type Printer struct {
	// Verbose also prints the header of IP, whether checksums are right, the packets that an unreachable and a time exceeded of ICMP
	// quote, and the options of neighbour discovery, in several lines for a packet, as tcpdump does with -v.
	Verbose bool

	source Source
	first  map[ends]numbers
}

// NewPrinter returns a Printer of the packets of a source.
func NewPrinter(s Source) *Printer { return &Printer{source: s, first: map[ends]numbers{}} }

// Line returns the text of a packet, without a newline at its end: the local time of day, the packet, and its comment.
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
	t := &text{verbose: p.Verbose}
	switch {
	case kind == layers.EthernetTypeARP:
		return arpLine(b)
	case kind == layers.EthernetTypeIPv4, n == 0 && b[0]>>4 == 4:
		p.ip(t, b)
	case kind == layers.EthernetTypeIPv6, n == 0 && b[0]>>4 == 6:
		p.ip6(t, b)
	default:
		return fmt.Sprintf("ethertype 0x%04x, length %d", uint16(kind), len(b))
	}
	return t.end()
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
