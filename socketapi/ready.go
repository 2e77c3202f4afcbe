package socketapi

import (
	"context"
	"sync"
	"sync/atomic"
)

// runner is a splice or a watch.
type runner interface {
	Run() // must not block
}

// ready lists the splices that have data to move, and the watches that have seen an event. The goroutine that reads a device runs them after it
// has read a batch and before it answers it. Those that become ready outside of a batch are run by a goroutine of their own.
type ready struct {
	reading atomic.Int32 // goroutines in the middle of a batch
	token   chan struct{}

	mu   sync.Mutex
	list []runner
	idle []runner // memory for the next list
}

// add schedules one.
func (r *ready) add(one runner) {
	r.mu.Lock()
	r.list = append(r.list, one)
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

// run runs all that are ready and reports whether there were any.
func (r *ready) run() (busy bool) {
	for list := r.take(nil); len(list) > 0; list = r.take(list) {
		busy = true
		for _, one := range list {
			one.Run()
		}
	}
	return busy
}

// take returns the list and empties it. It reuses the memory of the list before.
func (r *ready) take(before []runner) []runner {
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

// serve runs those that become ready outside of a batch, until ctx ends.
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
