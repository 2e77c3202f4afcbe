package link

// Bounds on the packets held until their next hop has answered. The latest packet to a neighbour is always held (RFC 1122
// section 2.3.2.2), so the size of the cache is a bound, too.
const (
	holdPerNeighbor = 64 // a datagram of 65,535 bytes is 45 fragments on Ethernet
	holdPackets     = 1024
	holdBytes       = 4 << 20
)

// hold counts the packets held for all neighbours.
type hold struct{ packets, bytes int }

// add holds p for n and returns how many earlier packets it has dropped to make room.
func (h *hold) add(n *neighbor, p *Packet) (dropped uint64) {
	p = p.Compact()
	for len(n.held) > 0 && (len(n.held) >= holdPerNeighbor || h.packets >= holdPackets || h.bytes+p.Len() > holdBytes) {
		h.packets--
		h.bytes -= n.held[0].Len()
		n.held[0].Free()
		n.held = append(n.held[:0], n.held[1:]...)
		dropped++
	}
	h.packets++
	h.bytes += p.Len()
	n.held = append(n.held, p)
	return dropped
}

// take returns the packets held for n and forgets them.
func (h *hold) take(n *neighbor) []*Packet {
	held := n.held
	n.held = nil
	h.packets -= len(held)
	for _, p := range held {
		h.bytes -= p.Len()
	}
	return held
}
