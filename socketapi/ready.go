package socketapi

import (
	"context"
	"sync"
	"sync/atomic"
)

// ready lists the splices that have data to move. The goroutine that reads a device runs them after it has read a batch and before
// it answers it. Splices that become ready outside of a batch are run by a goroutine of their own.
type ready struct {
	reading atomic.Int32 // goroutines in the middle of a batch
	token   chan struct{}

	mu   sync.Mutex
	list []*splice
	idle []*splice // memory for the next list
}

// add schedules sp.
func (r *ready) add(sp *splice) {
	r.mu.Lock()
	r.list = append(r.list, sp)
	r.mu.Unlock()
	if r.reading.Load() == 0 { // otherwise the batch runs it
		select {
		case r.token <- struct{}{}:
		default:
		}
	}
}

// batch calls read and runs the splices that it has made ready.
func (r *ready) batch(read func()) {
	r.reading.Add(1)
	read()
	r.reading.Add(-1)
	r.run()
}

// run runs all splices that are ready and reports whether there were any.
func (r *ready) run() (busy bool) {
	for list := r.take(nil); len(list) > 0; list = r.take(list) {
		busy = true
		for _, sp := range list {
			sp.Run()
		}
	}
	return busy
}

// take returns the list and empties it. It reuses the memory of the list before.
func (r *ready) take(before []*splice) []*splice {
	clear(before)
	r.mu.Lock()
	defer r.mu.Unlock()
	if before != nil {
		r.idle = before[:0]
	}
	if len(r.list) == 0 {
		return nil
	}
	list := r.list
	r.list, r.idle = r.idle, nil
	return list
}

// serve runs the splices that become ready outside of a batch, until ctx ends.
func (r *ready) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.token:
			r.run()
		}
	}
}
