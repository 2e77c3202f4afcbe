package link

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// EtherTypes (RFC 894, RFC 826, RFC 2464).
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
)

const (
	headerSize = 14    // Ethernet II: destination, source, type
	snapSize   = 8     // RFC 1042: LLC AA AA 03, OUI 00 00 00, type
	maxLength  = 1500  // the largest value of the type field that is an 802.3 length
	minType    = 0x600 // the smallest value that is an EtherType
)

// MAC is an Ethernet address.
type MAC [6]byte

// broadcast is the address of all stations on the link.
var broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// String prints colon-separated hexadecimal: "02:00:5e:10:00:01".
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// MarshalText returns what String does.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText takes the formats of net.ParseMAC, and only addresses of 48 bits.
func (m *MAC) UnmarshalText(text []byte) error {
	a, err := net.ParseMAC(string(text))
	if err != nil {
		return err
	}
	if len(a) != len(m) {
		return fmt.Errorf("%s is not an Ethernet address", text)
	}
	copy(m[:], a)
	return nil
}

// group reports whether m is a multicast address or the broadcast address.
func (m MAC) group() bool { return m[0]&1 != 0 }

// groupMAC maps an IP multicast group to its Ethernet address (RFC 1112 section 6.4, RFC 2464 section 7).
func groupMAC(group netip.Addr) MAC {
	a := group.As16()
	if group.Is4() {
		return MAC{0x01, 0x00, 0x5e, a[13] & 0x7f, a[14], a[15]}
	}
	return MAC{0x33, 0x33, a[12], a[13], a[14], a[15]}
}

// etherType returns the EtherType of an IP datagram by its version; 0: it is empty or of neither version.
func etherType(datagram []byte) uint16 {
	if len(datagram) == 0 {
		return 0
	}
	switch datagram[0] >> 4 {
	case 4:
		return typeIPv4
	case 6:
		return typeIPv6
	}
	return 0
}

// frame is the header of an Ethernet frame, in either encapsulation.
type frame struct {
	dst, src MAC
	typ      uint16
	size     int // length of the header in bytes
	end      int // of the payload: the end of the frame, or the start of 802.3 padding
}

// parseFrame reads the header of an Ethernet II frame, or of an 802.3 frame with LLC and SNAP (RFC 1042). It returns
// false for a frame shorter than its header or its 802.3 length. The typ of an 802.3 frame with other contents is 0. Frames shorter
// than the 60 bytes of a real Ethernet are accepted: a virtual wire does not pad.
func parseFrame(b []byte) (f frame, ok bool) {
	if len(b) < headerSize {
		return f, false
	}
	copy(f.dst[:], b[0:6])
	copy(f.src[:], b[6:12])
	f.typ, f.size, f.end = binary.BigEndian.Uint16(b[12:]), headerSize, len(b)
	if f.typ >= minType {
		return f, true
	}
	length := int(f.typ)
	f.typ = 0
	if length > maxLength {
		return f, true
	}
	f.end = headerSize + length
	if f.end > len(b) {
		return f, false
	}
	if length >= snapSize && [6]byte(b[headerSize:]) == [6]byte{0xaa, 0xaa, 3, 0, 0, 0} {
		f.typ, f.size = binary.BigEndian.Uint16(b[headerSize+6:]), headerSize+snapSize
	}
	return f, true
}

// putFrame writes an Ethernet II header to b, of headerSize bytes.
func putFrame(b []byte, dst, src MAC, typ uint16) {
	copy(b[0:6], dst[:])
	copy(b[6:12], src[:])
	binary.BigEndian.PutUint16(b[12:], typ)
}
