package tun

import (
	"syscall"

	"tunstack/internal/packet"
)

// sender is a driver's bare way out. send takes packets over that ask for nothing but what the driver's features name.
type sender interface {
	send(p *packet.Buffer) error
}

// deliver sends p through s and does in software what the device's features leave undone: checksums and
// the cutting of super-packets. Every driver's Write is this one call.
func deliver(s sender, k Kind, f packet.Features, p *packet.Buffer) error {
	switch {
	case p.Offload.Segmentation == packet.SegmentTCP && f.TSO < p.Len()-k.headerLen(),
		p.Offload.Segmentation == packet.SegmentUDP && f.USO < p.Len()-k.headerLen():
		return deliverSegments(s, k, f, p)
	case p.Offload.Checksum == packet.ChecksumPartial && !f.Checksum:
		completeChecksum(p, k)
	}
	return s.send(p)
}

// deliverSegments sends p as ordinary packets. It stops at the first that the device does not take.
func deliverSegments(s sender, k Kind, f packet.Features, p *packet.Buffer) error {
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
func completeChecksum(p *packet.Buffer, k Kind) {
	p.TrimFront(k.headerLen())
	p.CompleteChecksum()
	p.Prepend(k.headerLen())
}
