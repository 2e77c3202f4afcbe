// Package timer keeps the deadlines of one stack in one queue, which either a goroutine follows in real time (Run) or a test, a
// simulator or an embedder advances by hand (Next, Advance and Follow).
package timer

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/internal/clock"
)

// Handler is called when its Timer is due. It runs on the goroutine that advances the queue, without the queue's lock, and may
// arm and stop timers. It must not block.
type Handler interface {
	Expire(now time.Duration)
}

// Func makes a function a Handler.
type Func func(now time.Duration)

// Expire calls f.
func (f Func) Expire(now time.Duration) { f(now) }

// Timer is one deadline. It is embedded in its owner and is in no queue until armed.
type Timer struct {
	queue   *Queue
	handler Handler
	at      atomic.Int64 // the deadline; never while not armed. Changed under the queue's lock
	index   int          // position in the heap plus one; 0: not armed
}

const never = math.MaxInt64

// Init ties the timer to its queue and handler. It is called once, before any other method.
func (t *Timer) Init(q *Queue, h Handler) {
	t.queue, t.handler = q, h
	t.at.Store(never)
}

// Arm sets the deadline, whether or not one was set before.
func (t *Timer) Arm(at time.Duration) { t.queue.arm(t, at, false) }

// ArmEarlier sets the deadline unless an earlier one is set. An owner that computes its true deadline when the timer expires
// need not move the timer to a later time, so a busy connection seldom locks the queue.
func (t *Timer) ArmEarlier(at time.Duration) {
	if int64(at) < t.at.Load() {
		t.queue.arm(t, at, true)
	}
}

// Stop removes the deadline. It does not wait for a handler that is already running.
func (t *Timer) Stop() {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.index != 0 {
		q.remove(t.index - 1)
	}
}

// Queue orders timers by deadline in a binary heap. The zero value is ready for use.
type Queue struct {
	mu   sync.Mutex
	heap []*Timer
	wake chan struct{} // signalled when an earlier first deadline is set; nil unless Run is running
}

func (q *Queue) arm(t *Timer, at time.Duration, earlierOnly bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	later := int64(at) >= t.at.Load()
	if later && earlierOnly {
		return
	}
	t.at.Store(int64(at))
	switch {
	case t.index == 0:
		q.heap = append(q.heap, t)
		t.index = len(q.heap)
		q.up(t.index - 1)
	case later:
		q.down(t.index - 1)
	default:
		q.up(t.index - 1)
	}
	if t.index == 1 && q.wake != nil {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// Next is the first deadline; false when no timer is armed.
func (q *Queue) Next() (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return 0, false
	}
	return time.Duration(q.heap[0].at.Load()), true
}

// Len is the number of armed timers.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.heap)
}

// Advance calls the handlers of all timers due at now, in order of their deadlines.
func (q *Queue) Advance(now time.Duration) {
	for {
		t := q.pop(now)
		if t == nil {
			return
		}
		t.handler.Expire(now)
	}
}

// Follow is Run in virtual time: it advances the queue from deadline to deadline, from one time to another, and tells set each time before
// the handlers run.
func (q *Queue) Follow(from, to time.Duration, set func(now time.Duration)) {
	for at, ok := q.Next(); ok && at <= to; at, ok = q.Next() {
		from = max(from, at)
		set(from)
		q.Advance(from)
	}
	set(to)
}

func (q *Queue) pop(now time.Duration) *Timer {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 || q.heap[0].at.Load() > int64(now) {
		return nil
	}
	t := q.heap[0]
	q.remove(0)
	return t
}

// Run follows the queue in real time until ctx ends. It sleeps by the machine's clock and then reads c: if c has stopped
// meanwhile, Run sleeps again.
func (q *Queue) Run(ctx context.Context, c clock.Clock) {
	wake := make(chan struct{}, 1)
	q.mu.Lock()
	q.wake = wake
	q.mu.Unlock()
	const long = time.Hour
	sleep := time.NewTimer(long)
	defer sleep.Stop()
	for {
		q.Advance(c.Now())
		wait := long
		if at, ok := q.Next(); ok {
			wait = max(at-c.Now(), 0)
		}
		sleep.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-sleep.C:
		}
	}
}

func (q *Queue) less(i, j int) bool { return q.heap[i].at.Load() < q.heap[j].at.Load() }

func (q *Queue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].index, q.heap[j].index = i+1, j+1
}

func (q *Queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *Queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			return
		}
		if child+1 < len(q.heap) && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}

func (q *Queue) remove(i int) {
	t := q.heap[i]
	last := len(q.heap) - 1
	q.swap(i, last)
	q.heap[last] = nil
	q.heap = q.heap[:last]
	t.index = 0
	t.at.Store(never)
	if i < last {
		q.down(i)
		q.up(i)
	}
}
