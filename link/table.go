package link

import (
	"container/list"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"tunstack/internal/packet"
)

// State of a neighbour, named as `ip neigh` does.
type State string

const (
	Incomplete State = "INCOMPLETE" // asked for; packets are held until it answers
	Reachable  State = "REACHABLE"  // heard from lately
	Stale      State = "STALE"      // not heard from for a while; the next packet asks whether it is still there
	Probe      State = "PROBE"      // being asked; the old address serves meanwhile
	Failed     State = "FAILED"     // did not answer; senders get EHOSTUNREACH

	unknown State = "" // just made
)

// neighbor is an entry of the ARP cache. ip, next and fastMAC are read without a lock; the rest is guarded by Ethernet.mu.
type neighbor struct {
	ip      netip.Addr
	next    atomic.Pointer[neighbor]
	fastMAC atomic.Uint64 // where packets go without a further look: the MAC shifted left by 16, plus one; or 0

	e        *Ethernet
	deadline deadline
	state    State
	mac      MAC
	used     bool          // something was sent to it; false: only learned from what it sent
	since    time.Duration // when it was last heard from, or before that first asked for
	from     netip.Addr    // source address of the latest packet that made us ask
	asked    int           // requests sent since it was last heard from
	held     []*packet.Buffer
	place    *list.Element // where it is in the ranking
	placed   rank
}

// Expire moves the neighbour to its next state.
func (n *neighbor) Expire(now time.Duration) { n.e.expire(now, n) }

// ready is the MAC, unless something is to be decided before a packet is sent.
func (n *neighbor) ready() (MAC, bool) {
	v := n.fastMAC.Load()
	return MAC{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16)}, v != 0
}

// publish lets packets go to the neighbour's MAC without a further look.
func (n *neighbor) publish() {
	var b [8]byte
	copy(b[:], n.mac[:])
	n.fastMAC.Store(binary.BigEndian.Uint64(b[:]) + 1)
}

// tableBits gives as many buckets as there are entries by default.
const tableBits = 10

// table finds neighbours by address: chained hashing, where readers need no lock and writers hold Ethernet.mu. An entry that
// was removed still leads a reader on to the rest of its chain.
type table struct {
	seed    uint32 // odd and secret, so that nobody can aim at one chain
	n       int
	buckets [1 << tableBits]atomic.Pointer[neighbor]
}

func newTable(seed uint32) *table { return &table{seed: seed | 1} }

func (t *table) bucket(ip netip.Addr) *atomic.Pointer[neighbor] {
	a := ip.As4()
	return &t.buckets[binary.BigEndian.Uint32(a[:])*t.seed>>(32-tableBits)]
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
