package packet

import "time"

// Batch collects the work to do once when all packets waiting in a device queue have been handled: one acknowledgment for many
// segments, one reply for many requests. It belongs to the goroutine that reads the queue.
type Batch struct{ pending []Flusher }

// Flusher is called at the end of the batch to send the answers that it has deferred until then.
type Flusher interface {
	Flush(now time.Duration)
}

// Add asks for a call of f.Flush at the end of the batch. It is called while a packet of the batch is being handled.
func (b *Batch) Add(f Flusher) { b.pending = append(b.pending, f) }

// Flush calls each Flusher added and forgets it.
func (b *Batch) Flush(now time.Duration) {
	for i := 0; i < len(b.pending); i++ {
		b.pending[i].Flush(now)
	}
	clear(b.pending)
	b.pending = b.pending[:0]
}
