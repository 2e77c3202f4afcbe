package link

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/internal/packet"
)

const (
	arpSize          = 28
	hardwareEthernet = 1
	opRequest        = 1
	opReply          = 2
)

// Times and counts of requests (RFC 1122 section 2.3.2.1).
const (
	arpInterval  = time.Second
	arpUnicast   = 2 // before all stations are asked
	arpBroadcast = 3
)

// arpPacket is an ARP packet for IPv4 over Ethernet, with the field names of RFC 826.
type arpPacket struct {
	op  uint16     // ar$op
	sha MAC        // sender hardware address
	spa netip.Addr // sender protocol address
	tha MAC        // target hardware address
	tpa netip.Addr // target protocol address
}

// arp is the resolver of IPv4 (RFC 826, RFC 5227).
type arp struct {
	e     *Ethernet
	stats arpCounters
	claiming
}

// request implements resolver. If the stack owns no address the sender is 0.0.0.0.
func (a *arp) request(target, source netip.Addr, to MAC) *Packet {
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
	}
	if to == (MAC{}) {
		to = broadcast
	}
	a.stats.OutRequests.Inc()
	return a.ask(target, source, to)
}

// probe implements resolver: a request without a sender's address (RFC 5227 section 2.1.1).
func (a *arp) probe(c *claim) *Packet {
	a.stats.OutProbes.Inc()
	return a.ask(c.addr, netip.IPv4Unspecified(), broadcast)
}

// announce implements resolver: a request of the address for itself (RFC 5227 section 2.3).
func (a *arp) announce(addr netip.Addr) *Packet {
	a.stats.OutAnnounces.Inc()
	return a.ask(addr, addr, broadcast)
}

// defend implements resolver (RFC 5227 section 2.4).
func (a *arp) defend(addr netip.Addr) *Packet { return a.announce(addr) }

// pace implements resolver.
func (a *arp) pace(time.Duration) pace {
	return pace{
		interval: arpInterval, multicast: arpBroadcast, unicast: arpUnicast, fallback: arpBroadcast, reachable: a.e.cfg.Neighbors.Reachable,
	}
}

// ask returns a request in its frame.
func (a *arp) ask(target, sender netip.Addr, to MAC) *Packet {
	p := arpPacket{op: opRequest, sha: a.e.mac, spa: sender, tpa: target}
	return p.frameFor(to)
}

// parseARP returns false for a packet that is truncated or not of IPv4 over Ethernet. Bytes after the packet are padding.
func parseARP(b []byte) (a arpPacket, ok bool) {
	if len(b) < arpSize || binary.BigEndian.Uint16(b) != hardwareEthernet ||
		binary.BigEndian.Uint16(b[2:]) != typeIPv4 || b[4] != 6 || b[5] != 4 {
		return a, false
	}
	return arpPacket{
		op:  binary.BigEndian.Uint16(b[6:]),
		sha: MAC(b[8:14]),
		spa: netip.AddrFrom4([4]byte(b[14:18])),
		tha: MAC(b[18:24]),
		tpa: netip.AddrFrom4([4]byte(b[24:28])),
	}, true
}

// put writes the packet to b, of arpSize bytes.
func (a *arpPacket) put(b []byte) {
	binary.BigEndian.PutUint16(b, hardwareEthernet)
	binary.BigEndian.PutUint16(b[2:], typeIPv4)
	b[4], b[5] = 6, 4
	binary.BigEndian.PutUint16(b[6:], a.op)
	spa, tpa := a.spa.As4(), a.tpa.As4()
	copy(b[8:14], a.sha[:])
	copy(b[14:18], spa[:])
	copy(b[18:24], a.tha[:])
	copy(b[24:28], tpa[:])
}

// fromHost reports whether the sender can be a host: its hardware address is that of one station, and its protocol address is
// zero (in a probe, RFC 5227) or one that a neighbour can have.
func (a *arp) fromHost(p *arpPacket) bool {
	return !p.sha.group() && p.sha != (MAC{}) && (p.spa.IsUnspecified() || a.e.handler.IsHost(p.spa))
}

// probe reports whether the packet is an ARP probe for its target (RFC 5227 section 1.1).
func (a *arpPacket) probe() bool { return a.op == opRequest && a.spa.IsUnspecified() }

// frameFor returns the packet in a frame from its sender to dst.
func (a *arpPacket) frameFor(dst MAC) *Packet {
	p := packet.New(arpSize)
	a.put(p.Extend(arpSize))
	putFrame(p.Prepend(headerSize), dst, a.sha, typeARP)
	return p
}
