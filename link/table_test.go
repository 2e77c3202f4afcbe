package link

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// One table holds both families, and spreads neighbours over its buckets whichever bytes of their addresses differ.
func TestTableOfBothFamilies(t *testing.T) {
	from := func(high, low uint64) netip.Addr {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], high)
		binary.BigEndian.PutUint64(b[8:], low)
		return netip.AddrFrom16(b)
	}
	for name, address := range map[string]func(i uint64) netip.Addr{
		"IPv4":                    func(i uint64) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) },
		"IPv6 interface, low":     func(i uint64) netip.Addr { return from(0xfe80<<48, i) },
		"IPv6 interface, high":    func(i uint64) netip.Addr { return from(0xfe80<<48, i<<54) },
		"IPv6 prefix":             func(i uint64) netip.Addr { return from(0x2001_0db8<<32|i, 1) },
		"IPv6 prefix, high":       func(i uint64) netip.Addr { return from(i<<54, 1) },
		"IPv6 both halves, equal": func(i uint64) netip.Addr { return from(i, i) },
		"IPv6 both halves, high":  func(i uint64) netip.Addr { return from(i<<54, i<<54) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			table := newTable(r.Uint64(), r.Uint64())
			const entries = 1 << tableBits
			for i := range uint64(entries) {
				table.insert(&neighbor{ip: address(i)})
			}
			longest := 0
			for i := range table.buckets {
				chain := 0
				for n := table.buckets[i].Load(); n != nil; n = n.next.Load() {
					chain++
				}
				longest = max(longest, chain)
			}
			require.LessOrEqual(t, longest, 16)
			for i := range uint64(entries) {
				n := table.get(address(i))
				require.Equal(t, address(i), n.ip)
				table.remove(n)
				require.Nil(t, table.get(address(i)))
			}
			require.Zero(t, table.n)
		})
	}
}
