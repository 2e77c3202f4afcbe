package demux

import (
	"sync"
	"sync/atomic"

	"tunstack/internal/packet"
)

// inbox holds segments that came while the endpoint was locked. It is bounded: more than a window of them means that
// the peer ignores its window.
type inbox struct {
	mu     sync.Mutex
	queue  []waiting
	octets int
	count  atomic.Int32 // what any sees without the lock
}

// waiting is a segment and what its IP header said.
type waiting struct {
	p   *packet.Buffer
	tos uint8
}

const (
	maxInboxSegments = 4096
	maxInboxOctets   = 8 << 20
)

// put takes p over; false when the inbox is full, and then p is gone.
func (i *inbox) put(p *packet.Buffer, tos uint8) bool {
	p = p.Compact()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.queue) >= maxInboxSegments || i.octets+p.Len() > maxInboxOctets {
		p.Free()
		return false
	}
	i.queue = append(i.queue, waiting{p, tos})
	i.octets += p.Len()
	i.count.Store(int32(len(i.queue)))
	return true
}

func (i *inbox) any() bool { return i.count.Load() > 0 }

// take returns the oldest segment; false when there is none.
func (i *inbox) take() (waiting, bool) {
	if !i.any() {
		return waiting{}, false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.queue[0]
	i.queue[0] = waiting{}
	i.queue = i.queue[1:]
	i.octets -= w.p.Len()
	if len(i.queue) == 0 {
		i.queue = nil
	}
	i.count.Store(int32(len(i.queue)))
	return w, true
}
