package hostile

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/socketapi"
)

// family is a version of IP, and the hosts of a lab in it.
type family struct {
	name           string
	domain         int   // of sockets
	level, mtu     int   // IPPROTO_IP and IP_MTU
	icmp, echo     uint8 // protocol, and type of an echo request
	victim, honest netip.AddrPort
	attacker       netip.Addr
	gateway        netip.Addr // that the lab is configured with
	bits           int        // of the prefix on the link
	header         int        // bytes
	least          int        // segments keep room for so many bytes, headers included, whatever an ICMP error says
	dropSource     string     // counters
	echoes, errors string
}

var (
	four = &family{
		"IPv4", socketapi.AF_INET, socketapi.IPPROTO_IP, socketapi.IP_MTU, ip.ProtocolICMP, 8,
		netip.MustParseAddrPort("10.0.0.2:7"), netip.MustParseAddrPort("10.0.0.3:40000"), netip.MustParseAddr("10.0.0.66"),
		netip.MustParseAddr("10.0.0.1"),
		24, ipv4.HeaderLen, 552, "ipv4.drop.bad_source", "icmp.in.echo_requests", "icmp.in.errors",
	}
	six = &family{
		"IPv6", socketapi.AF_INET6, socketapi.IPPROTO_IPV6, socketapi.IPV6_MTU, ip.ProtocolICMPv6, icmp.EchoRequest6,
		netip.MustParseAddrPort("[2001:db8::2]:7"), netip.MustParseAddrPort("[2001:db8::3]:40000"), netip.MustParseAddr("2001:db8::66"),
		netip.MustParseAddr("2001:db8::1"),
		64, ipv6.HeaderLen, ipv6.MinMTU, "ipv6.drop.bad_source", "icmp6.in.echo_requests", "icmp6.in.errors",
	}
)

// eachFamily runs a test in both.
func eachFamily(t *testing.T, test func(t *testing.T, f *family)) {
	for _, f := range []*family{four, six} {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}

// anyone is one of many addresses and ports.
func (f *family) anyone(r *rand.Rand) netip.AddrPort {
	a := r.Uint32()
	addr := netip.AddrFrom4([4]byte{byte(20 + a>>24%100), byte(a >> 16), byte(a >> 8), byte(a)})
	if f == six {
		b := [16]byte{0x20, 1, 4}
		binary.BigEndian.PutUint64(b[4:], r.Uint64())
		binary.BigEndian.PutUint32(b[12:], a)
		addr = netip.AddrFrom16(b)
	}
	return netip.AddrPortFrom(addr, uint16(1+r.IntN(65535)))
}

// datagram is a whole datagram, of the family of its addresses.
func datagram(protocol uint8, src, dst netip.Addr, payload []byte) []byte {
	if src.Is6() {
		return datagram6(protocol, 64, src, dst, payload)
	}
	return datagram4(ipv4.Header{Datagram: ip.Datagram{Protocol: protocol, Src: src, Dst: dst}}, payload)
}

// datagram4 is an IPv4 datagram; h has the fields that are not defaults.
func datagram4(h ipv4.Header, payload []byte) []byte {
	b := make([]byte, h.Len(), h.Len()+len(payload))
	b[0], b[1], b[8], b[9] = byte(4<<4|h.Len()/4), h.TOS, 64, h.Protocol
	binary.BigEndian.PutUint16(b[2:], uint16(cap(b)))
	binary.BigEndian.PutUint16(b[4:], h.ID)
	fragment := h.Offset / 8
	if h.MF {
		fragment |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], fragment)
	src, dst := h.Src.As4(), h.Dst.As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	copy(b[20:], h.Options)
	checksum.Put(b[10:], ^checksum.Sum(b, 0))
	return append(b, payload...)
}

// datagram6 is an IPv6 datagram, whose payload may begin with extension headers.
func datagram6(next, hops uint8, src, dst netip.Addr, payload []byte) []byte {
	b := make([]byte, ipv6.HeaderLen, ipv6.HeaderLen+len(payload))
	b[0], b[6], b[7] = 6<<4, next, hops
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return append(b, payload...)
}

// fragment is a fragment to the victim.
func (f *family) fragment(protocol uint8, src netip.Addr, id uint16, offset int, more bool, payload []byte) []byte {
	if f == four {
		return datagram4(ipv4.Header{
			Datagram: ip.Datagram{Protocol: protocol, Src: src, Dst: f.victim.Addr()}, ID: id, MF: more, Offset: uint16(offset),
		}, payload)
	}
	field := uint16(offset)
	if more {
		field |= 1
	}
	x := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{protocol, 0}, field), uint32(id))
	return datagram6(ipv6.NextFragment, 64, src, f.victim.Addr(), append(x, payload...))
}

// parsed is the header of a datagram.
type parsed struct {
	ip.Datagram
	first bool // it is no fragment, or the first one
	whole bool // it is no fragment
}

// parse reads the header of a datagram that may be cut off.
func (f *family) parse(b []byte) (d parsed, ok bool) {
	if f == four {
		var h ipv4.Header
		ok = h.Parse(b)
		return parsed{h.Datagram, h.Offset == 0, h.Offset == 0 && !h.MF}, ok
	}
	var h ipv6.Header
	ok = h.Parse(b)
	return parsed{h.Datagram, h.Offset == 0, h.Offset == 0 && !h.More}, ok
}

// sum sets the checksum, at an offset, of the payload of a datagram, and returns it. ICMP's has no pseudo-header.
func sum(protocol uint8, src, dst netip.Addr, b []byte, at int) []byte {
	pseudo := uint16(0)
	if protocol != ip.ProtocolICMP {
		pseudo = checksum.Pseudo(src, dst, protocol, len(b))
	}
	checksum.Put(b[at:], 0)
	checksum.Put(b[at:], ^checksum.Sum(b, pseudo))
	return b
}

// udp is a UDP datagram without its IP header.
func udp(src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(cap(b)))
	return sum(ip.ProtocolUDP, src.Addr(), dst.Addr(), append(b, payload...), 6)
}

// message is an ICMP message, with its checksum, in a datagram.
func (f *family) message(src, dst netip.Addr, b []byte) []byte {
	return datagram(f.icmp, src, dst, sum(f.icmp, src, dst, slices.Clone(b), 2))
}

// tooBig is the attacker's error about a datagram of the victim, of which it quotes the beginning: the MTU was less.
func (f *family) tooBig(mtu int, quoted []byte) []byte {
	b := []byte{icmp.Unreachable, icmp.CodeFragNeeded, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}
	if f == six {
		b = binary.BigEndian.AppendUint32([]byte{icmp.PacketTooBig, 0, 0, 0}, uint32(mtu))
	}
	return f.message(f.attacker, f.victim.Addr(), append(b, quoted...))
}

// quotable is a datagram of the victim as an error quotes it.
func (f *family) quotable(protocol uint8, dst netip.Addr, payload []byte) []byte {
	b := datagram(protocol, f.victim.Addr(), dst, payload)
	if f == four {
		binary.BigEndian.PutUint16(b[6:], 0x4000) // DF
	}
	return b
}
