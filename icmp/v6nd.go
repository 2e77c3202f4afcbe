package icmp

import (
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/link/nd"
)

// DiscoveryStats is a pointer to the counters of received messages of neighbor discovery, for stats.Read.
func (s *Stack6) DiscoveryStats() any { return s.discovery.Stats() }

// discover handles a message of neighbor discovery (RFC 4861).
func (s *Stack6) discover(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	defer p.Free()
	m := nd.Message{Src: d.Src.WithZone(""), Dst: d.Dst.WithZone(""), HopLimit: d.TTL, Fragmented: d.Fragmented, Body: p.Bytes()}
	if m.Valid(&s.discovery) {
		d.In.Discover(now, &m)
	}
}
