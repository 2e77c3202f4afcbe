package link

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
)

// tableBits gives as many buckets as there are entries by default.
const tableBits = 10

// table finds neighbours of both families by address: chained hashing, where readers need no lock and writers hold Ethernet.mu.
// A removed entry keeps its next pointer, so that a reader at that entry still reaches the rest of its chain.
type table struct {
	seeds   [2]uint64 // odd and secret, so that an outsider cannot choose addresses that share a bucket
	n       int
	buckets [1 << tableBits]atomic.Pointer[neighbor]
}

func newTable(seed1, seed2 uint64) *table { return &table{seeds: [2]uint64{seed1 | 1, seed2 | 1}} }

func (t *table) bucket(ip netip.Addr) *atomic.Pointer[neighbor] {
	return &t.buckets[t.hash(ip)>>(64-tableBits)]
}

// hash mixes an address by multiplication. It takes IPv4 by itself because As16 costs 9 ns: the array that As16 returns is written in halves
// and copied as a whole.
func (t *table) hash(ip netip.Addr) uint64 {
	if ip.Is4() {
		a := ip.As4()
		return uint64(binary.BigEndian.Uint32(a[:])) * t.seeds[0]
	}
	a := ip.As16()
	h := binary.BigEndian.Uint64(a[:8]) * t.seeds[0]
	return (h ^ h>>32 ^ binary.BigEndian.Uint64(a[8:])) * t.seeds[1]
}

func (t *table) get(ip netip.Addr) *neighbor {
	for n := t.bucket(ip).Load(); n != nil; n = n.next.Load() {
		if n.ip == ip {
			return n
		}
	}
	return nil
}

func (t *table) insert(n *neighbor) {
	b := t.bucket(n.ip)
	n.next.Store(b.Load())
	b.Store(n)
	t.n++
}

func (t *table) remove(n *neighbor) {
	link := t.bucket(n.ip)
	for link.Load() != n {
		link = &link.Load().next
	}
	link.Store(n.next.Load())
	t.n--
}
