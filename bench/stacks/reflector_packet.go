package stacks

import (
	"encoding/binary"

	"tunstack/internal/checksum"
)

// Lengths of headers, and offsets of fields in a packet without IP options.
const (
	ipLen  = 20
	tcpLen = 20

	tcpFin, tcpSyn, tcpRst, tcpPsh, tcpAck = 1, 2, 4, 8, 16
)

// ack is an acknowledgment to be sent at the end of a batch.
type ack struct {
	ip       [ipLen]byte // of the segment it answers
	ports    [4]byte
	seq, ack uint32
}

// input answers one packet, in the packet's own memory if possible.
func (r *reflector) input(b []byte) {
	ip := b[r.header:]
	if ip[0] != 0x45 {
		return
	}
	switch ip[9] {
	case 1:
		r.echoICMP(b, ip)
	case 17:
		turnAround(ip) // both checksums stay correct
		r.write(b)
	case 6:
		if len(ip) >= ipLen+tcpLen {
			r.inputTCP(b, ip)
		}
	}
}

func (r *reflector) echoICMP(b, ip []byte) {
	icmp := ip[ipLen:]
	if len(icmp) < 8 || icmp[0] != 8 {
		return
	}
	swap(ip[12:16], ip[16:20])
	icmp[0] = 0
	sum := checksum.Add(^binary.BigEndian.Uint16(icmp[2:]), ^uint16(8<<8)) // RFC 1624
	checksum.Put(icmp[2:], ^sum)
	r.write(b)
}

// turnAround exchanges addresses and ports.
func turnAround(ip []byte) {
	swap(ip[12:16], ip[16:20])
	swap(ip[ipLen:ipLen+2], ip[ipLen+2:ipLen+4])
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// inputTCP answers a segment as the service of its port would.
func (r *reflector) inputTCP(b, ip []byte) {
	tcp := ip[ipLen:]
	flags := tcp[13]
	client, service := binary.BigEndian.Uint16(tcp), binary.BigEndian.Uint16(tcp[2:])
	size := len(tcp) - int(tcp[12]>>4)*4
	switch {
	case flags&tcpRst != 0:
		delete(r.flows, client)
	case flags&tcpSyn != 0:
		r.answerSyn(ip, client, service)
	case flags&tcpFin != 0:
		r.answerFin(ip, client, size)
	case service == ChargenPort:
		if f := r.flows[client]; f != nil {
			f.input(r, tcp)
		}
	case size == 0:
	case service == EchoPort:
		r.echoTCP(b, ip, size)
	default:
		r.acknowledge(ip, size)
	}
}

// echoTCP sends a segment's payload back in the same memory.
func (r *reflector) echoTCP(b, ip []byte, size int) {
	tcp := ip[ipLen:]
	turnAround(ip)
	seq, ack := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:])
	binary.BigEndian.PutUint32(tcp[4:], ack)
	binary.BigEndian.PutUint32(tcp[8:], seq+uint32(size))
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	if !r.vnet { // with vnet the field still holds the sum of the pseudo-header, as the device requires
		completeTCP(ip)
	}
	r.write(b)
}

// acknowledge records that a segment must be acknowledged; the last of a flow is.
func (r *reflector) acknowledge(ip []byte, size int) {
	tcp := ip[ipLen:]
	a := ack{ip: [ipLen]byte(ip), ports: [4]byte(tcp),
		seq: binary.BigEndian.Uint32(tcp[8:]), ack: binary.BigEndian.Uint32(tcp[4:]) + uint32(size)}
	for i := range r.acks {
		if r.acks[i].ports == a.ports {
			r.acks[i] = a
			return
		}
	}
	r.acks = append(r.acks, a)
}

func (r *reflector) flush() {
	for i := range r.acks {
		a := &r.acks[i]
		r.send(a.ip[:], a.ports[:], a.seq, a.ack, tcpAck, nil)
	}
	r.acks = r.acks[:0]
}

// firstSeq is every connection's initial sequence number.
const firstSeq = 1000

// answerSyn offers the cheapest options: no timestamps, no selective acknowledgments, and a window that is never full.
func (r *reflector) answerSyn(ip []byte, client, service uint16) {
	tcp := ip[ipLen:]
	options := []byte{2, 4, 1460 >> 8, 1460 & 0xff, 1, 3, 3, 10} // MSS 1460, window scale 10
	seq := binary.BigEndian.Uint32(tcp[4:]) + 1
	if service == ChargenPort {
		r.flows[client] = newFlow(ip, seq)
	}
	r.send(ip, tcp[:4], firstSeq, seq, tcpSyn|tcpAck, options)
}

// answerFin ends both directions at once.
func (r *reflector) answerFin(ip []byte, client uint16, size int) {
	tcp := ip[ipLen:]
	seq := binary.BigEndian.Uint32(tcp[8:])
	if f := r.flows[client]; f != nil {
		seq = f.next
		delete(r.flows, client)
	}
	r.send(ip, tcp[:4], seq, binary.BigEndian.Uint32(tcp[4:])+uint32(size)+1, tcpFin|tcpAck, nil)
}

// send sends a segment without data to the sender of the packet with the header ip and these ports.
func (r *reflector) send(ip, ports []byte, seq, ack uint32, flags byte, options []byte) {
	b := r.small[:r.header+ipLen+tcpLen+len(options)]
	p := b[r.header:]
	putHeaders(p, ip, ports, seq, ack, flags, options)
	clear(b[:r.header])
	completeTCP(p)
	r.write(b)
}

// putHeaders writes the headers of a packet of the size of p, back to the sender in ip and ports. The TCP checksum is left
// zero.
func putHeaders(p, ip, ports []byte, seq, ack uint32, flags byte, options []byte) {
	copy(p, []byte{0x45, 0, byte(len(p) >> 8), byte(len(p)), 0, 0, 0x40, 0, 64, 6, 0, 0})
	copy(p[12:], ip[16:20])
	copy(p[16:], ip[12:16])
	checksum.Put(p[10:], ^checksum.Sum(p[:ipLen], 0))
	tcp := p[ipLen:]
	copy(tcp, ports[2:4])
	copy(tcp[2:], ports[:2])
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12], tcp[13] = byte((tcpLen+len(options))<<2), flags
	copy(tcp[14:tcpLen], []byte{0xff, 0xff, 0, 0, 0, 0})
	copy(tcp[tcpLen:], options)
}

// completeTCP computes the TCP checksum of a packet.
func completeTCP(p []byte) {
	tcp := p[ipLen:]
	checksum.Put(tcp[16:], 0)
	checksum.Put(tcp[16:], ^checksum.Sum(tcp, pseudo(p, len(tcp))))
}

func pseudo(p []byte, length int) uint16 {
	return checksum.PseudoOf(p[12:20], 6, length)
}
