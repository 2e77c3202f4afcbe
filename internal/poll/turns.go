package poll

import (
	"sync"
	"sync/atomic"
)

// Turns runs a function one call at a time without waiting for a turn: a call during another makes that one run again. The zero value is ready
// for use.
type Turns struct {
	again atomic.Bool
	mu    sync.Mutex
}

// Take runs f, unless a function of these Turns runs now, which then runs again.
func (t *Turns) Take(f func()) {
	t.again.Store(true)
	for t.again.Load() && t.mu.TryLock() {
		t.again.Store(false)
		f()
		t.mu.Unlock()
	}
}
