package gso

import (
	"encoding/binary"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

// maxDatagram is the largest super-packet, an IP datagram, in bytes.
const maxDatagram = 65535

// joiner is an unfinished TCP super-packet: consecutive segments are joined as they are read, each one directly behind the
// segments before it.
type joiner struct {
	p            *packet.Buffer
	family       *family
	network, tcp int    // where the headers start
	payload      int    // where the payload starts
	size         int    // payload bytes of each segment but the last
	next         uint32 // the sequence number that follows
	count        int
	open         bool // the last segment was as long as the others, and not the end of its sender's write
}

// Join reads packets into the room behind p while they continue p, and makes them one packet with p. network bytes of link
// header precede the IP header. read fills its argument, which has frameLen bytes, from the start and returns the number of
// bytes, or 0 when there is nothing to read. held is the packet that was read last and did not continue p, or nil; the caller
// owns both.
func Join(p *packet.Buffer, network, frameLen int, read func(b []byte) int) (held *packet.Buffer) {
	j := joiner{p: p, network: network}
	if !j.begin() {
		return nil
	}
	for j.open && p.Len()-network+frameLen <= maxDatagram {
		end := p.Len()
		b := p.Extend(frameLen)
		n := read(b)
		p.Truncate(end)
		if n == 0 {
			break
		}
		if !j.add(b[:n]) {
			held = packet.New(packet.MaxSize)
			copy(held.Extend(n), b)
			break
		}
	}
	j.finish()
	return held
}

// begin starts with p; it returns false if nothing can be joined to p.
func (j *joiner) begin() bool {
	b := j.p.Bytes()
	if len(b) < j.network {
		return false
	}
	f, n := familyOf(b[j.network:])
	j.family, j.tcp = f, j.network+n
	if f == nil || len(b) < j.tcp+tcpHeaderLen || j.network > 0 && binary.BigEndian.Uint16(b[j.network-2:]) != f.etherType {
		return false
	}
	j.payload = j.tcp + int(b[j.tcp+12]>>4)*4
	if !j.plain(b) {
		return false
	}
	j.size = len(b) - j.payload
	j.follow(b)
	return true
}

// add joins the frame b, which lies directly behind the joined ones; it returns false if b does not continue them.
func (j *joiner) add(b []byte) bool {
	first := j.p.Bytes()[:j.payload]
	switch {
	case len(b) <= j.payload || len(b)-j.payload > j.size:
	case binary.BigEndian.Uint32(b[j.tcp+4:]) != j.next:
	case string(first[:j.network]) != string(b[:j.network]):
	case !same(first[j.network:j.tcp], b[j.network:j.tcp], j.family.mask) || !same(first[j.tcp:], b[j.tcp:j.payload], tcpMask):
	case j.plain(b):
		j.follow(b)
		copy(j.p.Extend(len(b)-j.payload), b[j.payload:])
		return true
	}
	return false
}

// plain reports whether b is a whole and sound segment with data and with no flags other than ACK and PSH.
func (j *joiner) plain(b []byte) bool {
	ip, tcp := b[j.network:], b[j.tcp:]
	return j.family.plain(ip) && tcp[13]&^tcpPSH == tcpACK &&
		j.payload >= j.tcp+tcpHeaderLen && j.payload < len(b) &&
		checksum.Sum(tcp, checksum.PseudoOf(j.family.addressesOf(ip), protocolTCP, len(tcp))) == 0xffff
}

// follow counts the segment b and derives from it which segments can continue it.
func (j *joiner) follow(b []byte) {
	size := len(b) - j.payload
	j.next = binary.BigEndian.Uint32(b[j.tcp+4:]) + uint32(size)
	j.open = size == j.size && b[j.tcp+13]&tcpPSH == 0
	j.p.Bytes()[j.tcp+13] |= b[j.tcp+13] & tcpPSH
	j.count++
}

// finish completes the headers of the super-packet.
func (j *joiner) finish() {
	if j.count == 1 {
		j.p.Offload.Checksum = packet.ChecksumValid
		return
	}
	j.family.seal(j.p.Bytes()[j.network:], j.tcp-j.network, 0)
	askChecksum(j.family, j.p, j.network, j.tcp, tcpChecksum)
	j.p.Offload.Segmentation, j.p.Offload.Size = packet.SegmentTCP, uint16(j.size)
}
