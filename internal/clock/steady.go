package clock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Steady is a clock that can stand still: while it is held, and, as long as Run runs, while the process does not run: at a
// breakpoint, after SIGSTOP, in a suspended laptop. Run looks at it often, so a long time in which nobody looked
// was none in which the process ran. Undisturbed it is as quick as the clock it is made of.
type Steady struct {
	base    Clock
	lost    atomic.Int64 // what has been left out so far, in ns
	careful atomic.Bool  // not all time counts: each look is to be noted

	mu    sync.Mutex
	last  time.Duration // of base, when it was last looked at with care
	gap   time.Duration // the longest time between looks that counts in full; 0: all do
	holds int
}

const (
	steadyBeat = 10 * time.Millisecond  // between looks
	steadyGap  = 100 * time.Millisecond // far more than a busy machine keeps a goroutine waiting
)

// NewSteady returns a Steady over base. Until Run or Hold is called it tells base's time.
func NewSteady(base Clock) *Steady { return &Steady{base: base} }

// Now is the time of base without what has been left out.
func (c *Steady) Now() time.Duration {
	lost := c.Lost()
	if now := c.base.Now() - lost; !c.careful.Load() && c.Lost() == lost { // nothing has begun or ended meanwhile
		return now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look()
}

// look notes that it is now, and leaves out the time since the last look if it does not count.
func (c *Steady) look() time.Duration {
	now := c.base.Now()
	if passed := now - c.last; c.holds > 0 || c.gap > 0 && passed > c.gap {
		c.lost.Add(int64(passed))
	}
	c.last = now
	return now - c.Lost()
}

// Lost is the time that has been left out so far.
func (c *Steady) Lost() time.Duration { return time.Duration(c.lost.Load()) }

// Hold makes the clock stand still until Release has been called as often as Hold.
func (c *Steady) Hold() { c.change(func() { c.holds++ }) }

// Release takes back one Hold.
func (c *Steady) Release() { c.change(func() { c.holds-- }) }

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

func (c *Steady) setGap(gap time.Duration) { c.change(func() { c.gap = gap }) }

// change changes which time counts from now on; what was before counts as it did.
func (c *Steady) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.careful.Store(true) // first: nobody may have seen a later time than the one at which it stops
	c.look()
	f()
	c.careful.Store(c.holds > 0 || c.gap > 0)
}
