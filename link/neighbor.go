package link

import (
	"container/list"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// State of a neighbour, named as `ip neigh` does.
type State string

const (
	Incomplete State = "INCOMPLETE" // asked for; packets are held until it answers
	Reachable  State = "REACHABLE"  // heard from lately
	Stale      State = "STALE"      // not heard from for a while; the next packet starts a probe
	Delay      State = "DELAY"      // a packet was sent to a STALE neighbour: the probe waits for other news of it (IPv6)
	Probe      State = "PROBE"      // being asked; packets still go to the known MAC
	Failed     State = "FAILED"     // did not answer; senders get EHOSTUNREACH

	unknown State = "" // just created
)

// NeighborCache holds the times and the size of an Ethernet's neighbour cache. Zero fields mean the defaults.
type NeighborCache struct {
	Reachable time.Duration // how long a neighbour stays REACHABLE after it was heard from: 60 s, at least 1 s; IPv6: the base, 30 s
	Stale     time.Duration // how long a STALE neighbour is kept when nothing is sent to it: 5 min
	Failed    time.Duration // how long a neighbour that did not answer is not asked again: 5 s
	Max       int           // neighbours of both families together whose MAC is known: 1024; half as many can be asked for at a time
}

func (c NeighborCache) defaults() NeighborCache {
	return NeighborCache{
		Reachable: max(orDefault(c.Reachable, time.Minute), arpInterval),
		Stale:     orDefault(c.Stale, 5*time.Minute),
		Failed:    orDefault(c.Failed, 5*time.Second),
		Max:       max(orDefault(c.Max, 1024), 1),
	}
}

// Neighbor is one row of the neighbour cache.
type Neighbor struct {
	IP     netip.Addr    `json:"ip"`
	MAC    MAC           `json:"mac"` // zero while not known
	State  State         `json:"state"`
	Router bool          `json:"router"` // IPv6: it forwards
	Age    time.Duration `json:"age"`    // since it was last heard from, or before that since it was first asked for
}

// Neighbors lists the neighbour cache, sorted by address.
func (e *Ethernet) Neighbors(now time.Duration) []Neighbor {
	e.mu.Lock()
	defer e.mu.Unlock()
	rows := make([]Neighbor, 0, e.table.n)
	for n := range e.ranking.all {
		rows = append(rows, Neighbor{n.ip, n.mac, n.state, n.router, now - n.since})
	}
	slices.SortFunc(rows, func(a, b Neighbor) int { return a.IP.Compare(b.IP) })
	return rows
}

// neighbor is an entry of the neighbour cache. ip, next and fastMAC are read without a lock; Ethernet.mu guards the rest.
type neighbor struct {
	ip      netip.Addr // without a zone: the link is the zone
	next    atomic.Pointer[neighbor]
	fastMAC atomic.Uint64 // the MAC shifted left by 16, plus one, if packets may be sent to it without the lock; or 0

	e        *Ethernet
	deadline deadline
	state    State
	mac      MAC
	router   bool          // IsRouter (RFC 4861 section 5.1)
	used     bool          // something was sent to it; false: only learned from its own packets
	since    time.Duration // when it was last heard from, or before that first asked for
	source   netip.Addr    // source address of the latest datagram that started a resolution or a probe
	asked    int           // requests sent since it was last heard from
	held     []*Packet
	place    *list.Element // its element of the ranking
	placed   rank
}

// Expire moves the neighbour to its next state.
func (n *neighbor) Expire(now time.Duration) { n.e.expire(now, n) }

// ready returns the MAC, and whether packets may be sent to it without the lock.
func (n *neighbor) ready() (MAC, bool) {
	v := n.fastMAC.Load()
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return MAC(b[:6]), v != 0
}

// publish lets packets be sent to the neighbour without the lock.
func (n *neighbor) publish() {
	var b [8]byte
	copy(b[:], n.mac[:])
	n.fastMAC.Store(binary.BigEndian.Uint64(b[:]) + 1)
}

// hide undoes publish.
func (n *neighbor) hide() { n.fastMAC.Store(0) }

// trusted reports whether the neighbour's MAC is in use and was confirmed lately, and every poll sent to it has been answered.
func (n *neighbor) trusted() bool {
	return n.used && (n.state == Reachable || n.state == Probe && n.asked <= arpUnicast)
}
