package tun

import (
	"syscall"
)

// sender is a driver's bare way out. send takes packets over that ask for nothing but what the driver's features name.
type sender interface {
	send(p *Packet) error
}

// deliver sends p through s and does in software what the device's features leave undone: checksums and
// the cutting of super-packets. Every driver's Write is this one call.
func deliver(s sender, k Kind, f Features, p *Packet) error {
	switch {
	case p.Offload.Segmentation == SegmentTCP && f.TSO < p.Len()-k.headerLen(),
		p.Offload.Segmentation == SegmentUDP && f.USO < p.Len()-k.headerLen():
		return deliverSegments(s, k, f, p)
	case p.Offload.Checksum == ChecksumPartial && !f.Checksum:
		completeChecksum(p, k)
	}
	return s.send(p)
}

// deliverSegments sends p as ordinary packets. It stops at the first that the device does not take.
func deliverSegments(s sender, k Kind, f Features, p *Packet) error {
	defer p.Free()
	cut, ok := newSegmenter(p, k.headerLen())
	if !ok {
		return syscall.EINVAL
	}
	for q := cut.next(); q != nil; q = cut.next() {
		if err := deliver(s, k, f, q); err != nil {
			return err
		}
	}
	return nil
}

// completeChecksum is packet.CompleteChecksum for a packet that may still have its link header.
func completeChecksum(p *Packet, k Kind) {
	p.TrimFront(k.headerLen())
	p.CompleteChecksum()
	p.Prepend(k.headerLen())
}
