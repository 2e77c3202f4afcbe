package loads

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// traffic is an interface's counts of the packets to the stack.
type traffic struct{ sent, dropped uint64 }

// traffic reads the interface's counters.
func (t Target) traffic() (traffic, error) {
	link, err := netlink.LinkByName(t.Device)
	if err != nil {
		return traffic{}, fmt.Errorf("look up interface %s: %w", t.Device, err)
	}
	s := link.Attrs().Statistics
	return traffic{s.TxPackets, s.TxDropped}, nil
}

// passed is the share of the packets since before that the device did not drop.
func (c traffic) passed(before traffic) float64 {
	sent, dropped := c.sent-before.sent, c.dropped-before.dropped
	return float64(sent) / float64(max(sent+dropped, 1))
}
