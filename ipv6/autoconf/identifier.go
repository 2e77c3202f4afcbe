package autoconf

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// An identifier is the lower half of an address (RFC 4291 section 2.5.1), in network order.
type identifier [8]byte

// stable is the identifier of RFC 7217 section 5: it stays the same for an interface and a prefix, differs from prefix to prefix, and no
// outsider can compute it. tries is its DAD_Counter.
func stable(secret []byte, prefix netip.Prefix, iface, network string, tries int) (id identifier) {
	mac := hmac.New(sha256.New, secret)
	p := prefix.Masked().Addr().As16()
	mac.Write(p[:8])
	for _, s := range []string{iface, network} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) // so that no two pairs of names read the same
		mac.Write([]byte(s))
	}
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(tries)))
	copy(id[:], mac.Sum(nil))
	return id
}

// eui64 is the modified EUI-64 identifier of an Ethernet address (RFC 4291 appendix A, RFC 2464 section 4).
func eui64(mac [6]byte) identifier {
	return identifier{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
}

// reserved reports whether an identifier is reserved (RFC 5453 section 3): for the Subnet-Router anycast address, for the anycast
// addresses of RFC 2526, or for IANA's own Ethernet addresses.
func (id identifier) reserved() bool {
	switch n := binary.BigEndian.Uint64(id[:]); {
	case n == 0:
		return true
	case n>>24 == 0x02005efffe: // 0200:5EFF:FE00:0000 to FEFF:FFFF
		return true
	case n >= 0xfdffffffffffff80 && n <= 0xfdffffffffffffff:
		return true
	}
	return false
}

// in is the address with the identifier in a prefix of 64 bits.
func (id identifier) in(prefix netip.Prefix) netip.Addr {
	a := prefix.Masked().Addr().As16()
	copy(a[8:], id[:])
	return netip.AddrFrom16(a)
}
