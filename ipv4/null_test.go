package ipv4

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// null is a Link that frees all packets.
type null struct{}

func (null) Output(_ time.Duration, p *packet.Buffer, _ netip.Addr) error {
	p.Free()
	return nil
}
func (null) MTU() int                  { return 1500 }
func (null) Features() packet.Features { return packet.Features{} }

// sink is a Protocol that does so.
type sink struct{}

func (sink) Input(_ time.Duration, _ *ip.Datagram, p *packet.Buffer) { p.Free() }
func (sink) HandleError(time.Duration, *ip.Error, []byte)            {}
