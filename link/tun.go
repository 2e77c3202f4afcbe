package link

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// Tun is the link of a TUN device: datagrams pass as they are.
type Tun struct{ wire }

// NewTun returns the link of a device of kind TUN.
func NewTun(d tun.Device) *Tun {
	l := new(Tun)
	l.init(d)
	return l
}

// Input takes a packet that was read from the device, and takes p over.
func (l *Tun) Input(now time.Duration, p *packet.Buffer) {
	l.count(p)
	l.up(now, p)
}

// Output sends p, whatever the next hop: there is one. It takes p over and never fails.
func (l *Tun) Output(_ time.Duration, p *packet.Buffer, _ netip.Addr) error {
	l.write(p)
	return nil
}
