package tun

import (
	"encoding/binary"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

const (
	tcpACK        = 0x10
	etherTypeIPv4 = 0x0800
)

// joiner is a TCP super-packet in the making (generic receive offload): segments over IPv4 that follow each other are joined as
// they are read, each one right behind those before it. It is the inverse of segmenter, which would cut the same segments again.
type joiner struct {
	p       *packet.Buffer
	ip, tcp int    // where the headers start
	payload int    // where the payload starts
	size    int    // payload octets of each segment but the last
	next    uint32 // the sequence number that follows
	count   int
	open    bool // the last segment was no shorter than the others, and not the end of what its sender wrote
}

// join reads on behind p while what read finds continues it, and makes all of it one packet. read fills its argument from the start
// and returns the number of octets, or 0 when there is nothing. held is the packet that was read last and did not continue p, or nil.
func join(p *packet.Buffer, linkLen, frameLen int, read func(b []byte) int) (held *packet.Buffer) {
	r := joiner{p: p, ip: linkLen, tcp: linkLen + ipv4HeaderLen}
	if !r.begin() {
		return nil
	}
	for r.open && p.Len()-linkLen+frameLen <= maxMTU {
		end := p.Len()
		b := p.Extend(frameLen)
		n := read(b)
		p.Truncate(end)
		if n == 0 {
			break
		}
		if !r.add(b[:n]) {
			held = packet.New(packet.MaxSize)
			copy(held.Extend(n), b)
			break
		}
	}
	r.finish()
	return held
}

// begin starts with p; false if nothing can be joined to it.
func (r *joiner) begin() bool {
	b := r.p.Bytes()
	if len(b) < r.tcp+tcpHeaderLen || r.ip > 0 && binary.BigEndian.Uint16(b[r.ip-2:]) != etherTypeIPv4 {
		return false
	}
	r.payload = r.tcp + int(b[r.tcp+12]>>4)*4
	if !r.plain(b) {
		return false
	}
	r.size = len(b) - r.payload
	r.follow(b)
	return true
}

// add joins the frame b, which lies right behind what is joined; false if it does not continue that.
func (r *joiner) add(b []byte) bool {
	first := r.p.Bytes()[:r.payload]
	same := func(from, to int) bool { return string(first[from:to]) == string(b[from:to]) }
	switch {
	case len(b) <= r.payload || len(b)-r.payload > r.size:
	case binary.BigEndian.Uint32(b[r.tcp+4:]) != r.next:
	case !same(0, r.ip+2) || !same(r.ip+6, r.ip+10) || !same(r.ip+12, r.tcp+4): // but for length, identification, checksum
	case !same(r.tcp+8, r.tcp+13) || !same(r.tcp+14, r.tcp+16) || !same(r.tcp+18, r.payload): // but for PSH, checksum
	case r.plain(b):
		r.follow(b)
		copy(r.p.Extend(len(b)-r.payload), b[r.payload:])
		return true
	}
	return false
}

// plain says whether b is a whole and sound segment with data, and nothing but data.
func (r *joiner) plain(b []byte) bool {
	ip, tcp := b[r.ip:], b[r.tcp:]
	const dontFragment = 0x4000
	return ip[0] == 0x45 && ip[9] == protocolTCP && binary.BigEndian.Uint16(ip[6:]) == dontFragment &&
		int(binary.BigEndian.Uint16(ip[2:])) == len(ip) && tcp[13]&^tcpPSH == tcpACK &&
		r.payload >= r.tcp+tcpHeaderLen && r.payload < len(b) &&
		checksum.Sum(ip[:ipv4HeaderLen], 0) == 0xffff &&
		checksum.Sum(tcp, checksum.PseudoOf(ip[12:20], protocolTCP, len(tcp))) == 0xffff
}

// follow counts the segment b and takes from it how it may go on.
func (r *joiner) follow(b []byte) {
	size := len(b) - r.payload
	r.next = binary.BigEndian.Uint32(b[r.tcp+4:]) + uint32(size)
	r.open = size == r.size && b[r.tcp+13]&tcpPSH == 0
	r.p.Bytes()[r.tcp+13] |= b[r.tcp+13] & tcpPSH
	r.count++
}

// finish completes the headers for what has been joined.
func (r *joiner) finish() {
	if r.count == 1 {
		r.p.Offload.Checksum = packet.ChecksumValid
		return
	}
	putLength(r.p.Bytes()[r.ip:], ipv4HeaderLen)
	askChecksum(r.p, r.ip, r.tcp, protocolTCP, 16)
	r.p.Offload.Segmentation, r.p.Offload.Size = packet.SegmentTCP, uint16(r.size)
}
