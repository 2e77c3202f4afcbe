package dns

import (
	"context"
	"sync"
)

// flights joins questions that are asked while the same question waits for its answer.
type flights struct {
	mu    sync.Mutex
	calls map[question]*flight
}

// flight is a question under way. It ends early only when no caller waits for it any more.
type flight struct {
	waiting int
	cancel  context.CancelFunc
	done    chan struct{} // closed when answer and err are set
	answer  *Answer
	err     error
}

// join returns the flight for a question, and begins one with ask if there is none. The caller calls leave.
func (r *Resolver) join(q question, ask func(context.Context) (*Answer, error)) *flight {
	f := &r.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	if call, ok := f.calls[q]; ok {
		call.waiting++
		r.stats.Joined.Inc()
		return call
	}
	ctx, cancel := context.WithCancel(r.alive)
	call := &flight{waiting: 1, cancel: cancel, done: make(chan struct{})}
	if f.calls == nil {
		f.calls = map[question]*flight{}
	}
	f.calls[q] = call
	r.spawn(func() {
		call.answer, call.err = ask(ctx)
		f.mu.Lock()
		f.remove(q, call)
		f.mu.Unlock()
		close(call.done)
		cancel()
	})
	return call
}

// leave ends a caller's wait. The last one cancels the question.
func (f *flights) leave(q question, call *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call.waiting--; call.waiting == 0 {
		f.remove(q, call) // nobody may join it now
		call.cancel()
	}
}

// remove ends the joining of a flight. f.mu is held.
func (f *flights) remove(q question, call *flight) {
	if f.calls[q] == call {
		delete(f.calls, q)
	}
}
