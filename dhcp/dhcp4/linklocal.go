package dhcp4

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
)

// LinkLocal returns the addresses from 169.254.1.0 to 169.254.254.255 that an interface tries, in an order that depends on its address, so
// that it takes the same one at each start (RFC 3927 section 2.1).
func LinkLocal(mac net.HardwareAddr) (next func() netip.Prefix) {
	var seed [8]byte
	copy(seed[:], mac)
	random := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:]), 3927))
	return func() netip.Prefix {
		n := 0x0100 + random.IntN(0xff00-0x0100)
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, byte(n >> 8), byte(n)}), 16)
	}
}
