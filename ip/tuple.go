package ip

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"tunstack/internal/addrkey"
)

// FourTuple identifies a connection, or a connected socket, of either family. It is comparable.
type FourTuple struct {
	local, remote         addrkey.Key
	LocalPort, RemotePort uint16
}

// NewFourTuple returns the FourTuple between two ends of one family.
func NewFourTuple(local, remote netip.AddrPort) FourTuple {
	t := FourTuple{local.Addr().As16(), remote.Addr().As16(), local.Port(), remote.Port()}
	if t.local.IsLinkLocal() || t.remote.IsLinkLocal() { // seldom: else this is addrkey.Of for both
		t.local, t.remote = addrkey.Of(local.Addr()), addrkey.Of(remote.Addr())
	}
	return t
}

// Version is the version of IP of both ends.
func (t *FourTuple) Version() Versions {
	if t.remote.IsIPv4() {
		return V4
	}
	return V6
}

// Append appends the tuple to b, 36 bytes in network byte order, for a hash to cover.
func (t *FourTuple) Append(b []byte) []byte {
	b = append(append(b, t.local[:]...), t.remote[:]...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, t.LocalPort), t.RemotePort)
}

// LocalAddr is the stack's own address.
func (t *FourTuple) LocalAddr() netip.Addr { return t.local.Addr() }

// RemoteAddr is the peer's address.
func (t *FourTuple) RemoteAddr() netip.Addr { return t.remote.Addr() }

// Local is the stack's own end.
func (t *FourTuple) Local() netip.AddrPort { return netip.AddrPortFrom(t.LocalAddr(), t.LocalPort) }

// Remote is the peer's end.
func (t *FourTuple) Remote() netip.AddrPort { return netip.AddrPortFrom(t.RemoteAddr(), t.RemotePort) }

// Hash mixes the tuple with a secret key, so that an outsider cannot choose tuples with equal hashes. As in wyhash (Wang Yi, 2019), each
// factor of a product contains the key, and the first two products do not wait for each other.
func (t *FourTuple) Hash(key uint64) uint64 {
	other := bits.RotateLeft64(key, 32)
	remote := fold(binary.LittleEndian.Uint64(t.remote[:])^key, binary.LittleEndian.Uint64(t.remote[8:])^other)
	local := fold(binary.LittleEndian.Uint64(t.local[:])^other, binary.LittleEndian.Uint64(t.local[8:])^key)
	ports := uint64(t.RemotePort)<<16 | uint64(t.LocalPort)
	return fold(remote^ports, local^key^0x9e3779b97f4a7c15)
}

// fold multiplies to 128 bits and adds the halves without carry.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
