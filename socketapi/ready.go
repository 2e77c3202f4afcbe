package socketapi

import (
	"context"
	"sync"
	"sync/atomic"
)

// ready are the parties that have something to do after what has just arrived. They are run by the goroutine that brought it,
// between reading a batch and answering it; what comes from elsewhere has a goroutine of its own.
type ready struct {
	reading atomic.Int32 // goroutines in the middle of a batch
	token   chan struct{}

	mu   sync.Mutex
	list []*splice
	idle []*splice // memory for the next list
}

// add has sp run soon.
func (r *ready) add(sp *splice) {
	r.mu.Lock()
	r.list = append(r.list, sp)
	r.mu.Unlock()
	if r.reading.Load() == 0 { // else batch is about to run it
		select {
		case r.token <- struct{}{}:
		default:
		}
	}
}

// batch calls read and runs what that made ready.
func (r *ready) batch(read func()) {
	r.reading.Add(1)
	read()
	r.reading.Add(-1)
	r.run()
}

// run runs all that are ready and says whether there were any.
func (r *ready) run() (busy bool) {
	for list := r.take(nil); len(list) > 0; list = r.take(list) {
		busy = true
		for _, sp := range list {
			sp.Run()
		}
	}
	return busy
}

// take empties the list, and takes back the memory of the one before.
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

// serve runs what becomes ready outside of any batch, until ctx ends.
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
