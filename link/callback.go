package link

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// Callback is a link without a device, for a program that carries the datagrams itself.
type Callback struct {
	base
	mtu int
	out func(now time.Duration, datagram []byte)
}

// NewCallback returns a link that sends by calling out. The datagram is whole and checksummed, and valid during the
// call. out may run on several goroutines at once and while a socket's lock is held: it may Inject into this stack
// or another, but must not use a socket of this one.
func NewCallback(mtu int, out func(now time.Duration, datagram []byte)) *Callback {
	return &Callback{mtu: mtu, out: out}
}

// Inject receives a datagram and returns once it has been processed. The slice stays the caller's.
func (l *Callback) Inject(now time.Duration, datagram []byte) {
	if len(datagram) > maxDatagram {
		l.stats.DropTooLong.Inc()
		return
	}
	p := packet.From(datagram)
	l.count(p)
	l.handler.Input(now, p)
}

// Output calls out with p; the next hop does not matter. It takes p over and never fails.
func (l *Callback) Output(now time.Duration, p *Packet, _ netip.Addr) error {
	p = p.Own()
	l.stats.OutPackets.Inc()
	l.stats.OutBytes.Add(uint64(p.Len()))
	l.out(now, p.Bytes())
	p.Free()
	return nil
}

// MTU returns the largest datagram in bytes that is sent.
func (l *Callback) MTU() int { return l.mtu }

// Features returns none: out gets complete datagrams.
func (l *Callback) Features() tun.Features { return tun.Features{} }
