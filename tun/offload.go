package tun

import (
	"syscall"

	"tunstack/internal/gso"
)

// sender is a driver that writes packets as they are. send takes over packets that need no offload beyond the driver's features.
type sender interface {
	send(p *Packet) error
}

// deliver sends p by s. Before, it does the offload in software that the device's features lack: it completes the checksum and
// segments super-packets. The Write of every driver is one call of it.
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

// deliverSegments sends p as ordinary packets, up to the first that the device refuses.
func deliverSegments(s sender, k Kind, f Features, p *Packet) error {
	defer p.Free()
	cut, ok := gso.Cut(p, k.headerLen())
	if !ok {
		return syscall.EINVAL
	}
	for q := cut.Next(); q != nil; q = cut.Next() {
		if err := deliver(s, k, f, q); err != nil {
			return err
		}
	}
	return nil
}

// completeChecksum is Packet.CompleteChecksum for a packet that may have a link header.
func completeChecksum(p *Packet, k Kind) {
	p.TrimFront(k.headerLen())
	p.CompleteChecksum()
	p.Prepend(k.headerLen())
}
