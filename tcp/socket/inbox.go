package socket

import (
	"sync/atomic"

	"tunstack/internal/packet"
)

// inbox holds datagrams that came while the endpoint was locked. It is bounded: more than a window of them means that
// the peer ignores its window.
type inbox struct {
	newest atomic.Pointer[packet.Buffer] // linked by Next
	octets atomic.Int64                  // of memory
}

const maxInboxOctets = 8 << 20

// put takes p over, which starts after an IP header of n octets; false when the inbox is full, and then p is gone.
func (i *inbox) put(n int, p *packet.Buffer) bool {
	p.Prepend(n)
	p = p.Compact()
	if i.octets.Add(memory(p)) > maxInboxOctets {
		i.octets.Add(-memory(p))
		p.Free()
		return false
	}
	for {
		p.Next = i.newest.Load()
		if i.newest.CompareAndSwap(p.Next, p) {
			return true
		}
	}
}

// take empties the inbox and returns what was in it from the IP header on, oldest first and linked by Next.
func (i *inbox) take() (oldest *packet.Buffer) {
	if i.newest.Load() == nil {
		return nil
	}
	for p := i.newest.Swap(nil); p != nil; {
		next := p.Next
		i.octets.Add(-memory(p))
		p.Next, oldest = oldest, p
		p = next
	}
	return oldest
}

// memory is what a waiting packet costs.
func memory(p *packet.Buffer) int64 { return int64(packet.Headroom + p.Len() + p.Tailroom()) }
