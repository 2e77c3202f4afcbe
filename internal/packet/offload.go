package packet

import "tunstack/internal/checksum"

// Checksum is the state of the transport checksum of a packet.
type Checksum uint8

const (
	// ChecksumNone: on receive nothing is known and the transport verifies; on send the field is complete.
	ChecksumNone Checksum = iota
	// ChecksumPartial: the field holds the folded, uncomplemented pseudo-header sum, and the bytes from Start on remain to be
	// added. A packet received like this never crossed a wire and needs no check.
	ChecksumPartial
	// ChecksumValid: the device has verified it. Receive only.
	ChecksumValid
)

// Segmentation is the kind of super-packet.
type Segmentation uint8

const (
	SegmentNone Segmentation = iota // an ordinary packet
	SegmentTCP                      // TCP payload in units of Offload.Size (TSO)
	SegmentUDP                      // UDP payload in units of Offload.Size (USO)
)

// Offload is work that a device does, or has left to the stack, for a packet (virtio-net headers on Linux).
type Offload struct {
	Checksum     Checksum
	Segmentation Segmentation
	Size         uint16 // payload bytes per segment of a super-packet
	Start        uint16 // where checksumming starts: bytes from the network header
	Offset       uint16 // the checksum field: bytes from Start
}

// Features is the work that a link takes over from its senders.
type Features struct {
	Checksum bool // takes ChecksumPartial
	TSO      int  // largest TCP super-packet in bytes, IP header included; 0: none
	USO      int  // the same for UDP
}

// Splits reports whether the link takes the super-packet p whole.
func (f Features) Splits(p *Buffer) bool {
	limit := f.TSO
	if p.Offload.Segmentation == SegmentUDP {
		limit = f.USO
	}
	return p.Len() <= limit
}

// CompleteChecksum does in software the work that ChecksumPartial left. The linear part must start with the network header.
func (b *Buffer) CompleteChecksum() {
	if b.Offload.Checksum != ChecksumPartial {
		return
	}
	start := int(b.Offload.Start)
	field := b.Bytes()[start+int(b.Offload.Offset):][:2]
	sum := checksum.Sum(b.Bytes()[start:], 0)
	odd := (b.end-b.start-start)%2 == 1
	for _, s := range b.spans {
		part := checksum.Sum(s, 0)
		if odd {
			part = checksum.Swap(part)
		}
		sum = checksum.Add(sum, part)
		odd = odd != (len(s)%2 == 1)
	}
	if sum != 0xffff {
		sum = ^sum // the other zero: to UDP a field of 0 means that there is no checksum, to TCP both are the same
	}
	checksum.Put(field, sum)
	b.Offload.Checksum = ChecksumNone
}
