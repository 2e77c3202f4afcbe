package link

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// Direct is the link of a TUN device: datagrams pass as they are.
type Direct struct{ wire }

// NewDirect returns the link of a device of kind TUN.
func NewDirect(d tun.Device) *Direct {
	l := new(Direct)
	l.init(d)
	return l
}

// Input takes a packet that was read from the device, and takes p over.
func (l *Direct) Input(now time.Duration, p *packet.Buffer) {
	l.count(p)
	l.up(now, p)
}

// Output sends p, whatever the next hop: there is one. It takes p over and never fails.
func (l *Direct) Output(_ time.Duration, p *packet.Buffer, _ netip.Addr) error {
	l.write(p)
	return nil
}
