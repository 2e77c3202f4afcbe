package link

import (
	"sync"
	"sync/atomic"

	"tunstack/tun"
)

// outbox writes packets to a device queue. While the reader of the queue handles a batch, the outbox keeps short packets, and writes them
// together at the end: the kernel's code for writing and the stack's for answering do not fit into a processor's first-level cache together.
type outbox struct {
	queue tun.Queue
	stats *counters
	busy  atomic.Bool // corked, or packets wait; later packets must not overtake them

	mu      sync.Mutex
	corked  bool
	waiting []*Packet
}

const (
	// maxWait is the length in bytes of the longest packet that waits. A longer one would gain nothing, and its payload would
	// have to be copied.
	maxWait = 1514
	// maxWaiting is the largest number of packets that wait.
	maxWaiting = 64
)

// write sends p, now or at the end of the batch.
func (o *outbox) write(p *Packet) {
	if !o.busy.Load() {
		o.send(p)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.corked && p.Len() <= maxWait && len(o.waiting) < maxWaiting {
		o.waiting = append(o.waiting, p.Own())
		return
	}
	o.flush()
	o.send(p)
}

// cork sends the packets that wait, and sets whether later ones are to wait.
func (o *outbox) cork(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
	o.corked = on
	o.busy.Store(on)
}

func (o *outbox) flush() {
	for i, p := range o.waiting {
		o.waiting[i] = nil
		o.send(p)
	}
	o.waiting = o.waiting[:0]
}

// send passes p to the device. A packet that the device refuses is lost, as on any wire.
func (o *outbox) send(p *Packet) {
	size := uint64(p.Len())
	if o.queue.Write(p) != nil {
		o.stats.DropDevice.Inc()
		return
	}
	o.stats.OutPackets.Inc()
	o.stats.OutBytes.Add(size)
}
