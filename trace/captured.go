package trace

import (
	"net/netip"
	"time"

	"tunstack/tcp"
)

// Captured is a TCP segment of a packet capture.
type Captured struct {
	At       time.Time
	Src, Dst netip.AddrPort
	Segment  tcp.Segment
	Out      bool // the capturing host sent it, as far as the capture tells
	Cut      bool // the capture holds only the beginning of the packet
}
