package link

import (
	"sync"
	"sync/atomic"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// outbox is a device queue's way out. While whoever reads the queue is at a batch, short packets wait in it, to be written one right
// after the other: the kernel's code for writing and ours for answering do not fit into a processor's nearest cache together.
type outbox struct {
	queue tun.Queue
	stats *counters
	busy  atomic.Bool // corked, or packets wait: nobody may overtake them

	mu      sync.Mutex
	corked  bool
	waiting []*packet.Buffer
}

const (
	// maxWait is the longest packet in octets that waits: with longer ones there is nothing to gain, and their payload would
	// have to be copied.
	maxWait = 1514
	// maxWaiting bounds how many the first one waits for.
	maxWaiting = 64
)

// write sends p now or when the batch is over.
func (o *outbox) write(p *packet.Buffer) {
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

// cork begins or ends to let packets wait.
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

// send gives p to the device. What that does not take is lost, as on any wire.
func (o *outbox) send(p *packet.Buffer) {
	octets := uint64(p.Len())
	if o.queue.Write(p) != nil {
		o.stats.DropDevice.Inc()
		return
	}
	o.stats.OutPackets.Inc()
	o.stats.OutOctets.Add(octets)
}
