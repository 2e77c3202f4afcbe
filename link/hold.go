package link

import "tunstack/internal/packet"

// Bounds on packets that wait for their next hop. The latest packet to a neighbour is held in any case (RFC 1122
// section 2.3.2.2), so the whole is bounded by the cache's size as well.
const (
	holdPerNeighbor = 64 // a datagram of 65,535 octets is 45 fragments on Ethernet
	holdPackets     = 1024
	holdOctets      = 4 << 20
)

// hold counts the packets held for all neighbours.
type hold struct{ packets, octets int }

// add holds p for n and says how many earlier packets had to give way.
func (h *hold) add(n *neighbor, p *packet.Buffer) (dropped uint64) {
	p = p.Compact()
	for len(n.held) > 0 && (len(n.held) >= holdPerNeighbor || h.packets >= holdPackets || h.octets+p.Len() > holdOctets) {
		h.packets--
		h.octets -= n.held[0].Len()
		n.held[0].Free()
		n.held = append(n.held[:0], n.held[1:]...)
		dropped++
	}
	h.packets++
	h.octets += p.Len()
	n.held = append(n.held, p)
	return dropped
}

// take ends the wait of the packets for n.
func (h *hold) take(n *neighbor) []*packet.Buffer {
	held := n.held
	n.held = nil
	h.packets -= len(held)
	for _, p := range held {
		h.octets -= p.Len()
	}
	return held
}
