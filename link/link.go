// Package link joins ipv4 to what carries its datagrams: Ethernet with ARP on a TAP device (Ethernet), a bare
// TUN device (Tun), the loopback network 127/8 (Loopback), and calls in and out for programs that embed a stack (Callback).
//
// All four send as ipv4.Link asks and hand what they receive to a Handler, which ip.Interface is. Input may run on
// several goroutines and Output on any at the same time.
package link

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/tun"
)

// Handler is the layer above a link: ipv4's Interface. No lock of the link is held while it is called.
type Handler interface {
	// Input handles a received IPv4 datagram and takes p over. p starts at the IP header, may have link padding
	// at its end, and p.Cast says how its frame was addressed (RFC 1122 section 2.4).
	Input(now time.Duration, p *packet.Buffer)
	// IsHost says whether a can be the address of a neighbour, which a broadcast address of the network cannot.
	IsHost(a netip.Addr) bool
	// Unreachable handles a datagram that was to be sent and whose next hop did not answer; it takes p over.
	Unreachable(now time.Duration, p *packet.Buffer)
}

// base is what every link has: the layer above and the counters.
type base struct {
	handler Handler
	stats   counters
}

// SetHandler sets the layer above. It is called once, before any traffic.
func (b *base) SetHandler(h Handler) { b.handler = h }

// Stats is a pointer to the link's counters, for stats.Read.
func (b *base) Stats() any { return &b.stats }

// up hands a received datagram to the layer above if it is IPv4.
func (b *base) up(now time.Duration, p *packet.Buffer) {
	if d := p.Bytes(); len(d) == 0 || d[0]>>4 != 4 {
		drop(p, &b.stats.DropNotIPv4)
		return
	}
	b.handler.Input(now, p)
}

// count counts a packet that came in.
func (b *base) count(p *packet.Buffer) {
	b.stats.InPackets.Inc()
	b.stats.InOctets.Add(uint64(p.Len()))
}

// drop ends a packet's way and counts why.
func drop(p *packet.Buffer, reason *stats.Counter) {
	reason.Inc()
	p.Free()
}

// wire is what the links on a device share.
type wire struct {
	base
	device tun.Device
	out    []outbox
}

func (w *wire) init(d tun.Device) {
	queues := d.Queues()
	w.device, w.out = d, make([]outbox, len(queues))
	for i, q := range queues {
		w.out[i] = outbox{queue: q, stats: &w.stats}
	}
}

// MTU is the largest datagram in octets that the device carries.
func (w *wire) MTU() int { return w.device.MTU() }

// Features is what the device takes over from senders.
func (w *wire) Features() packet.Features { return w.device.Features() }

// Cork lets short packets that are sent by a device queue wait, at most 64, until Uncork. The goroutine that reads the queue calls
// Cork before it handles a batch of packets, and Uncork after it.
func (w *wire) Cork(queue uint16) { w.out[queue].cork(true) }

// Uncork ends that and sends what waits.
func (w *wire) Uncork(queue uint16) { w.out[queue].cork(false) }

// write sends a packet by the device queue it asks for.
func (w *wire) write(p *packet.Buffer) { w.out[int(p.Queue)%len(w.out)].write(p) }
