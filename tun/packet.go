package tun

import "tunstack/internal/packet"

// Packet is the buffer of one packet: its linear part, which starts with the headers, and up to two spans of payload behind it, which are
// borrowed from the sender. A device that is written outside this module makes Packets by NewPacket or PacketFrom, and uses these methods:
//
//	Bytes() []byte          the linear part
//	Spans() [2][]byte       the borrowed payload behind it; either span may be empty
//	Len() int               bytes in both
//	Prepend(n int) []byte   adds n bytes in front, within Headroom, and returns them to be filled
//	Extend(n int) []byte    adds n bytes at the end of the linear part, within Tailroom, and returns them to be filled
//	Tailroom() int          how many bytes Extend can still add
//	TrimFront(n int)        removes the first n bytes of the linear part
//	Truncate(n int)         cuts the linear part to n bytes
//	Own() *Packet           copies the borrowed payload and returns the Packet that now has the whole packet
//	Clone() *Packet         returns an independent copy
//	CompleteChecksum()      fills in the checksum that ChecksumPartial left incomplete; the linear part starts with the IP header
//	Free()                  returns the Packet to its pool
//
// and these fields:
//
//	Offload Offload         work that the device is to do for the packet, or has done
//	Queue   uint16          the number of the device queue that the packet was read from, or is to be written to
//
// A Packet has one owner. Passing it to another layer or device passes the ownership, and the last owner calls Free, once. Its memory,
// Bytes and Spans included, must not be used after that. The borrowed spans are valid only until the call returns that the Packet
// was passed to: a device that keeps a Packet longer calls Own first. A Packet is not safe for concurrent use.
type Packet = packet.Buffer

// Headroom is how many bytes Prepend can add to a Packet of NewPacket or PacketFrom.
const Headroom = packet.Headroom

// MaxPacket is the size of the largest Packet in bytes: an IP datagram of 65,535 bytes and its link header.
const MaxPacket = packet.MaxSize

// NewPacket returns an empty Packet with room for size bytes, for Extend. Its memory is not zeroed. A size above MaxPacket panics.
func NewPacket(size int) *Packet { return packet.New(size) }

// PacketFrom returns a Packet with a copy of data, of at most MaxPacket bytes.
func PacketFrom(data []byte) *Packet { return packet.From(data) }

// Features is the offload that a device supports. Without any, Write gets whole packets with complete checksums, within the MTU.
//
//	Checksum bool   Write takes packets with ChecksumPartial
//	TSO      int    the largest TCP super-packet that Write takes, in bytes with its IP header; 0: none
//	USO      int    the same for UDP
type Features = packet.Features

// Offload is the work on one packet that a device does or has done (the virtio-net header on Linux).
//
//	Checksum     Checksum       the state of the transport checksum
//	Segmentation Segmentation   the kind of super-packet
//	Size         uint16         payload bytes per segment of a super-packet
//	Start        uint16         where the checksum starts, in bytes from the IP header
//	Offset       uint16         the checksum field, in bytes from Start
type Offload = packet.Offload

// Checksum is the state of the transport checksum of a packet.
type Checksum = packet.Checksum

const (
	// ChecksumNone: a packet that was read is still to be verified; one to be written has a complete checksum.
	ChecksumNone = packet.ChecksumNone
	// ChecksumPartial: the checksum field holds the sum of the pseudo-header, neither complemented nor added to the bytes from
	// Offload.Start on. A packet that is read like this has not crossed a wire, and is not verified.
	ChecksumPartial = packet.ChecksumPartial
	// ChecksumValid: the device has verified the packet that is read.
	ChecksumValid = packet.ChecksumValid
)

// Segmentation is the kind of super-packet: one that a device or the host's kernel cuts into segments of Offload.Size.
type Segmentation = packet.Segmentation

const (
	SegmentNone = packet.SegmentNone // an ordinary packet
	SegmentTCP  = packet.SegmentTCP  // TCP segmentation offload (TSO)
	SegmentUDP  = packet.SegmentUDP  // UDP segmentation offload (USO)
)
