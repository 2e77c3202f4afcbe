package link

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// EtherTypes of the protocols spoken here (RFC 894, RFC 826).
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
)

const (
	headerSize = 14    // Ethernet II: destination, source, type
	snapSize   = 8     // RFC 1042: LLC AA AA 03, OUI 00 00 00, type
	maxLength  = 1500  // up to here the type field is an 802.3 length
	minType    = 0x600 // from here on it is a type
)

// MAC is an Ethernet address.
type MAC [6]byte

// broadcast is every station on the link.
var broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// String prints colon-separated hexadecimal: "02:00:5e:10:00:01".
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// MarshalText is String.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText takes what net.ParseMAC does, if it is of 48 bits.
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

// group says whether m is a multicast address or the broadcast address.
func (m MAC) group() bool { return m[0]&1 != 0 }

// groupMAC maps an IP multicast group to its Ethernet address (RFC 1112 section 6.4).
func groupMAC(group netip.Addr) MAC {
	a := group.As4()
	return MAC{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
}

// frame is the header of an Ethernet frame, in either encapsulation.
type frame struct {
	dst, src MAC
	typ      uint16
	size     int // octets of header before the payload
	end      int // where the payload ends: the frame's end, or before 802.3 padding
}

// parseFrame reads the header of an Ethernet II frame, or of an 802.3 frame with LLC and SNAP (RFC 1042). It is
// false for a frame shorter than it says. The typ of an 802.3 frame with other contents is 0. Frames shorter
// than the 60 octets of a real Ethernet are fine: a virtual wire does not pad.
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

// putFrame writes an Ethernet II header to b, of headerSize octets.
func putFrame(b []byte, dst, src MAC, typ uint16) {
	copy(b[0:6], dst[:])
	copy(b[6:12], src[:])
	binary.BigEndian.PutUint16(b[12:], typ)
}
