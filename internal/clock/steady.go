package clock

import (
	"context"
	"sync"
	"time"
)

// Steady is a clock that stands still while the process does: at a breakpoint, after SIGSTOP, in a suspended laptop.
// As long as Run runs it is looked at often, so a long time in which nobody looked was none in which the process ran,
// and counts as a moment.
type Steady struct {
	base Clock

	mu   sync.Mutex
	last time.Duration // of base, when it was last looked at
	lost time.Duration // what has been left out so far
	gap  time.Duration // the longest time between looks that counts in full; 0: all do
}

const (
	steadyBeat = 10 * time.Millisecond  // between looks
	steadyGap  = 100 * time.Millisecond // far more than a busy machine keeps a goroutine waiting
)

// NewSteady returns a Steady over base. Until Run is called it tells base's time.
func NewSteady(base Clock) *Steady { return &Steady{base: base, last: base.Now()} }

// Now is the time of base without the gaps.
func (c *Steady) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.base.Now()
	if gap := now - c.last; c.gap > 0 && gap > c.gap {
		c.lost += gap - steadyBeat
	}
	c.last = max(c.last, now)
	return c.last - c.lost
}

// Lost is the time that has been left out so far.
func (c *Steady) Lost() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

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

func (c *Steady) setGap(gap time.Duration) {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gap = gap
}
