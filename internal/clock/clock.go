// Package clock tells a stack the time. Every time in the protocols is a time.Duration since the stack's
// birth, read once per packet batch, so that a test, a simulator or a debugger can supply its own.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time since its start. It never goes backwards.
type Clock interface {
	Now() time.Duration
}

// Real is the machine's monotonic clock.
type Real struct{ start time.Time }

// NewReal returns a Real clock that starts now.
func NewReal() *Real { return &Real{start: time.Now()} }

// Now is the time since NewReal.
func (c *Real) Now() time.Duration { return time.Since(c.start) }

// Virtual is a clock that moves only when Set is called. The zero value is ready for use; it is safe for concurrent use.
type Virtual struct{ now atomic.Int64 }

// Now is the time the clock was last set to.
func (c *Virtual) Now() time.Duration { return time.Duration(c.now.Load()) }

// Set moves the clock to t; a t in its past is ignored.
func (c *Virtual) Set(t time.Duration) {
	for {
		old := c.now.Load()
		if int64(t) <= old || c.now.CompareAndSwap(old, int64(t)) {
			return
		}
	}
}
