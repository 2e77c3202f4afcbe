package clock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Steady is a clock that can stand still: while it is held, and, as long as Run runs, while the process is stopped: at a
// breakpoint, after SIGSTOP, in a suspended laptop. Run reads the clock often, so a long gap between two reads means that the
// process was stopped. Without holds and gaps a Steady is as fast as its base clock.
type Steady struct {
	base    Clock
	lost    atomic.Int64 // the time left out so far, in ns
	careful atomic.Bool  // a hold or Run is active: each read must be recorded

	mu    sync.Mutex
	last  time.Duration // base's time at the last recorded read
	gap   time.Duration // the longest gap between reads that counts in full; 0: every gap counts
	holds int
}

const (
	steadyBeat = 10 * time.Millisecond  // between reads
	steadyGap  = 100 * time.Millisecond // far longer than a busy machine delays a goroutine
)

// NewSteady returns a Steady over base. Until Run or Hold is called it tells base's time.
func NewSteady(base Clock) *Steady { return &Steady{base: base} }

// Now is base's time minus the time left out.
func (c *Steady) Now() time.Duration {
	lost := c.Lost()
	if now := c.base.Now() - lost; !c.careful.Load() && c.Lost() == lost { // no hold or Run began or ended meanwhile
		return now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look()
}

// look records the time of a read, and leaves out the time since the last read if it does not count.
func (c *Steady) look() time.Duration {
	now := c.base.Now()
	if passed := now - c.last; c.holds > 0 || c.gap > 0 && passed > c.gap {
		c.lost.Add(int64(passed))
	}
	c.last = now
	return now - c.Lost()
}

// Lost is the time left out so far.
func (c *Steady) Lost() time.Duration { return time.Duration(c.lost.Load()) }

// Hold makes the clock stand still until Release has been called as often as Hold.
func (c *Steady) Hold() { c.change(func() { c.holds++ }) }

// Release takes back one Hold.
func (c *Steady) Release() { c.change(func() { c.holds-- }) }

// Run reads the clock regularly until ctx ends; meanwhile gaps are left out.
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

// change applies f, which changes the time that counts from now on; earlier time keeps its rule.
func (c *Steady) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.careful.Store(true) // first, so that no concurrent Now returns a later time than the one at which the clock stops
	c.look()
	f()
	c.careful.Store(c.holds > 0 || c.gap > 0)
}
