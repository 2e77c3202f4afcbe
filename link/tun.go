package link

import (
	"net/netip"
	"time"

	"tunstack/tun"
)

// Tun is the link of a TUN device: datagrams pass unchanged.
type Tun struct{ wire }

// NewTun returns the link of a device of kind TUN.
func NewTun(d tun.Device) *Tun {
	l := new(Tun)
	l.init(d)
	return l
}

// Input handles a packet that was read from the device, and takes p over.
func (l *Tun) Input(now time.Duration, p *Packet) {
	l.count(p)
	l.handler.Input(now, p)
}

// Output sends p; a TUN device has one neighbour, so the next hop does not matter. It takes p over and never fails.
func (l *Tun) Output(_ time.Duration, p *Packet, _ netip.Addr) error {
	l.write(p)
	return nil
}
