// Package link carries the datagrams of package ip: by Ethernet frames on a TAP device (Ethernet), as they are on a
// TUN device (Tun), back to the stack (Loopback), or by calls of the program that embeds the stack (Callback).
//
// All four implement ip.Link, and hand received datagrams to a Handler, which ip.Interface implements. Input may run on
// several goroutines, and Output on any at the same time.
package link

import (
	"net/netip"
	"time"

	"tunstack/internal/stats"
	"tunstack/internal/timer"
	"tunstack/tun"
)

// Packet is the buffer of one packet: see tun.Packet.
type Packet = tun.Packet

// Timers holds the deadlines of a stack: the zero value is empty and ready for use. Advance(now) calls the expired timers, and Next returns the time of
// the earliest deadline.
type Timers = timer.Queue

// Handler is the layer above a link: ip.Interface. No lock of the link is held while it is called.
type Handler interface {
	// Input handles a received datagram and takes p over. p starts at the IP header, may have link padding
	// at its end, and p.Cast is how its frame was addressed (RFC 1122 section 2.4).
	Input(now time.Duration, p *Packet)
	// IsHost reports whether a can be the address of a neighbour; a broadcast address of the network cannot.
	IsHost(a netip.Addr) bool
	// Source returns the source address of a datagram that Output was given; the zero Addr if it cannot be read.
	Source(p *Packet) netip.Addr
	// IsAnycast reports whether a is an IPv6 anycast address of the stack on this link.
	IsAnycast(a netip.Addr) bool
	// NotRouter handles the news that an IPv6 neighbour is no router any more (RFC 4861 section 7.3.3).
	NotRouter(now time.Duration, a netip.Addr)
	// Silent handles the news that a neighbour does not answer. It is called before Unreachable.
	Silent(now time.Duration, a netip.Addr)
	// Unreachable handles a datagram that was held because its next hop did not answer, and takes p over.
	Unreachable(now time.Duration, p *Packet)
}

// base is the part that all links share: the layer above and the counters.
type base struct {
	handler Handler
	stats   counters
}

// SetHandler sets the layer above. It is called once, before any traffic.
func (b *base) SetHandler(h Handler) { b.handler = h }

// Stats returns a pointer to the link's counters, for stats.Read.
func (b *base) Stats() any { return &b.stats }

// count counts a received packet.
func (b *base) count(p *Packet) {
	b.stats.InPackets.Inc()
	b.stats.InBytes.Add(uint64(p.Len()))
}

// drop frees a packet and counts the reason.
func drop(p *Packet, reason *stats.Counter) {
	reason.Inc()
	p.Free()
}

// wire is the part that links on a device share.
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

// MTU returns the largest datagram in bytes that the device carries.
func (w *wire) MTU() int { return w.device.MTU() }

// Features returns the offload that the device supports.
func (w *wire) Features() tun.Features { return w.device.Features() }

// Cork makes the short packets that are sent by a device queue wait until Uncork, at most 64. The goroutine that reads the queue calls
// Cork before it handles a batch of packets, and Uncork after it.
func (w *wire) Cork(queue uint16) { w.out[queue].cork(true) }

// Uncork undoes Cork and sends the packets that wait.
func (w *wire) Uncork(queue uint16) { w.out[queue].cork(false) }

// write sends a packet by the device queue in p.Queue.
func (w *wire) write(p *Packet) { w.out[int(p.Queue)%len(w.out)].write(p) }
