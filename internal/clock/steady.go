package clock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Steady is a clock that stands still while the process does: at a breakpoint, after SIGSTOP, in a suspended laptop.
// As long as Run runs it is looked at often, so a long time in which nobody looked was none in which the process ran,
// and does not count. Otherwise it is as quick as the clock it is made of.
type Steady struct {
	base Clock
	gap  atomic.Int64 // the longest time between looks that counts in full, in ns; 0: all do
	lost atomic.Int64 // what has been left out so far, in ns

	mu   sync.Mutex
	last time.Duration // of base, when it was last looked at; of use only where there is a gap
}

const (
	steadyBeat = 10 * time.Millisecond  // between looks
	steadyGap  = 100 * time.Millisecond // far more than a busy machine keeps a goroutine waiting
)

// NewSteady returns a Steady over base. Until Run is called it tells base's time.
func NewSteady(base Clock) *Steady { return &Steady{base: base} }

// Now is the time of base without the gaps.
func (c *Steady) Now() time.Duration {
	if c.gap.Load() == 0 {
		return c.base.Now() - c.Lost()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.base.Now()
	if gap := now - c.last; gap > time.Duration(c.gap.Load()) {
		c.lost.Add(int64(gap))
	}
	c.last = max(c.last, now)
	return c.last - c.Lost()
}

// Lost is the time that has been left out so far.
func (c *Steady) Lost() time.Duration { return time.Duration(c.lost.Load()) }

// Run looks at the clock regularly until ctx ends; meanwhile gaps are left out.
func (c *Steady) Run(ctx context.Context) {
	c.setGap(steadyGap)
	defer c.setGap(0)
	beat := time.NewTicker(steadyBeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			c.Now()
		}
	}
}

// setGap changes the gap; what was before it counts in full.
func (c *Steady) setGap(gap time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.base.Now()
	c.gap.Store(int64(gap))
}
