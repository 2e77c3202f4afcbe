package socket

import (
	"sync/atomic"

	"tunstack/internal/packet"
)

// backlog holds the datagrams that arrived while another goroutine held the connection's lock, like sk_backlog of Linux. It is
// bounded: more than a window of them means that the peer ignores its window.
type backlog struct {
	newest atomic.Pointer[packet.Buffer] // linked by Next
	bytes  atomic.Int64                  // of memory
}

const maxBacklog = 8 << 20 // bytes

// put takes p over, which starts behind an IP header of n bytes. When the backlog is full it frees p and returns false.
func (b *backlog) put(n int, p *packet.Buffer) bool {
	p.Prepend(n)
	p = p.Compact()
	if b.bytes.Add(memory(p)) > maxBacklog {
		b.bytes.Add(-memory(p))
		p.Free()
		return false
	}
	for {
		p.Next = b.newest.Load()
		if b.newest.CompareAndSwap(p.Next, p) {
			return true
		}
	}
}

// take empties the backlog and returns the datagrams, each from its IP header on, oldest first and linked by Next.
func (b *backlog) take() (oldest *packet.Buffer) {
	if b.newest.Load() == nil {
		return nil
	}
	for p := b.newest.Swap(nil); p != nil; {
		next := p.Next
		b.bytes.Add(-memory(p))
		p.Next, oldest = oldest, p
		p = next
	}
	return oldest
}

// memory is what a packet in the backlog costs, in bytes.
func memory(p *packet.Buffer) int64 { return int64(packet.Headroom + p.Len() + p.Tailroom()) }
