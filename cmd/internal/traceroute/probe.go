package traceroute

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
	"tunstack/udp"
)

// Method is the protocol number of the probes.
type Method uint8

// The methods, with their default ports.
const (
	UDP  Method = ip.ProtocolUDP
	ICMP Method = ip.ProtocolICMP // echo requests
	TCP  Method = ip.ProtocolTCP  // SYNs

	DefaultPortUDP = 33434
	DefaultPortTCP = 80
)

// Network is the network of Sockets.Reply.
func (m Method) Network() string { return fmt.Sprintf("ip4:%d", m) }

// Types of ICMP messages (RFC 792).
const (
	typeEchoReply    = 0
	typeUnreachable  = 3
	typeEcho         = 8
	typeTimeExceeded = 11
)

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

// packet is a probe's datagram. The stack fills in the source, the length and the checksum of the IP header.
func (t *tracer) packet(i int) []byte {
	b := make([]byte, probeLen)
	dst := t.cfg.Addr.As4()
	b[0], b[8], b[9] = 4<<4|ipv4.HeaderLen/4, byte(i/t.cfg.Queries+1), byte(t.cfg.Method)
	copy(b[16:], dst[:])
	m := b[ipv4.HeaderLen:]
	pseudo := checksum.Pseudo(t.cfg.Local, t.cfg.Addr, byte(t.cfg.Method), len(m))
	switch t.cfg.Method {
	case ICMP:
		m[0] = typeEcho
		binary.BigEndian.PutUint32(m[4:], t.key(i))
		fill(m[8:])
		checksum.Put(m[2:], ^checksum.Sum(m, 0))
	case TCP:
		t.syn(i).PutHeader(m)
		checksum.Put(m[16:], ^checksum.Sum(m, pseudo))
	default:
		src, dst := t.ports(i)
		(&udp.Header{SrcPort: src, DstPort: dst, Length: uint16(len(m))}).Put(m)
		fill(m[udp.HeaderLen:])
		checksum.Put(m[6:], ^checksum.Sum(m, pseudo))
	}
	return b
}

// syn is a SYN with the options that a common program sends, so that firewalls treat it alike: its header has probeLen bytes.
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
