package traceroute

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
	"tunstack/udp"
)

// Method is the protocol number of the probes; that of ICMP stands for ICMPv6 as well.
type Method uint8

// The methods, with their default ports.
const (
	UDP  Method = ip.ProtocolUDP
	ICMP Method = ip.ProtocolICMP // echo requests
	TCP  Method = ip.ProtocolTCP  // SYNs

	DefaultPortUDP = 33434
	DefaultPortTCP = 80
)

// protocolRaw is IPPROTO_RAW: a socket of it takes datagrams with their IP headers.
const protocolRaw = 255

// Network is the network of Sockets.Out.
func Network(f *icmpmsg.Family) string { return fmt.Sprintf("%s:%d", f.Network, protocolRaw) }

// Network is the network of Sockets.Reply.
func (m Method) Network(f *icmpmsg.Family) string { return fmt.Sprintf("%s:%d", f.Network, m) }

// protocol is the protocol number of the probes.
func (t *tracer) protocol() uint8 {
	if t.cfg.Method == ICMP {
		return t.icmp.Protocol
	}
	return uint8(t.cfg.Method)
}

// ports are the ports of a probe over UDP or TCP.
func (t *tracer) ports(i int) (src, dst uint16) {
	if t.cfg.Method == TCP {
		return t.id + uint16(i), t.cfg.Port // each probe is a new connection
	}
	return t.id, t.cfg.Port + uint16(i)
}

// key identifies a probe in every answer: its ports, or ICMP's identifier and sequence number.
func (t *tracer) key(i int) uint32 {
	if t.cfg.Method == ICMP {
		return uint32(t.id)<<16 | uint32(i+1)
	}
	src, dst := t.ports(i)
	return uint32(src)<<16 | uint32(dst)
}

// keyOf reads the key in the first 8 bytes of a message: an ICMP error may quote no more of a probe (RFC 792).
func (m Method) keyOf(message []byte) uint32 {
	if m == ICMP {
		return binary.BigEndian.Uint32(message[4:])
	}
	return binary.BigEndian.Uint32(message)
}

// keyOfReply reads the key in a direct answer to a probe, from its port to ours.
func (m Method) keyOfReply(message []byte) uint32 {
	if m == ICMP {
		return m.keyOf(message)
	}
	return bits.RotateLeft32(m.keyOf(message), 16)
}

// packet is a probe's datagram.
func (t *tracer) packet(i int) []byte {
	b := make([]byte, t.icmp.HeaderLen+messageLen)
	t.header(b, uint8(i/t.cfg.Queries+1))
	m := b[t.icmp.HeaderLen:]
	sum, at := checksum.Pseudo(t.cfg.Local, t.cfg.Addr, t.protocol(), len(m)), 6
	switch t.cfg.Method {
	case ICMP:
		m[0] = t.icmp.Echo
		binary.BigEndian.PutUint32(m[4:], t.key(i))
		fill(m[icmp.HeaderLen:])
		if at = 2; t.cfg.Addr.Is4() {
			sum = 0 // ICMP for IPv4 has no pseudo-header
		}
	case TCP:
		t.syn(i).PutHeader(m)
		at = 16
	default:
		src, dst := t.ports(i)
		(&udp.Header{SrcPort: src, DstPort: dst, Length: uint16(len(m))}).Put(m)
		fill(m[udp.HeaderLen:])
	}
	checksum.Put(m[at:], ^checksum.Sum(m, sum))
	return b
}

// header writes the IP header of a probe into b. The stack fills in the length, and for IPv4 the source and the checksum.
func (t *tracer) header(b []byte, ttl uint8) {
	if t.cfg.Addr.Is4() {
		b[0], b[8], b[9] = 4<<4|ipv4.HeaderLen/4, ttl, t.protocol()
		copy(b[16:], t.cfg.Addr.AsSlice())
		return
	}
	b[0], b[6], b[7] = 6<<4, t.protocol(), ttl
	binary.BigEndian.PutUint16(b[4:], messageLen)
	copy(b[8:], t.cfg.Local.AsSlice())
	copy(b[24:], t.cfg.Addr.AsSlice())
}

// syn is a SYN with the options that a common program sends, so that firewalls treat it alike: its header has messageLen bytes.
func (t *tracer) syn(i int) *tcp.Segment {
	src, dst := t.ports(i)
	return &tcp.Segment{
		SrcPort: src, DstPort: dst, Seq: tcp.Seq(uint32(t.id)<<16 + uint32(i)), Flags: tcp.SYN, Wnd: 5840,
		Options: tcp.Options{MSS: 1460, SackPermitted: true, HasTS: true, HasScale: true, Scale: 2},
	}
}

// fill writes traceroute's payload.
func fill(b []byte) {
	for i := range b {
		b[i] = byte('@' + i&0x3f)
	}
}
