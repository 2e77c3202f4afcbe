package socketapi

import (
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
)

// splice moves the bytes that arrive on one connection to another connection, or back to the same one, for a WriteTo that waits for
// the end. The goroutine that reads the device runs it, so that no goroutine is woken (docs/decisions/splice.md).
type splice struct {
	from, to *TCPConn
	change   poll.Waiter // of events of from, and of the end of to
	room     poll.Waiter // of room in to's send buffer, while it is full
	waiter   *sleeper    // of the WriteTo
	queued   atomic.Bool // Run is scheduled
	blocked  atomic.Bool // room is registered
	held     atomic.Bool // afterWrite waits for a Write to end

	turns poll.Turns    // of run, which owns the rest
	q     packet.Stream // taken from from, and not yet written to to
	more  bool          // from may have more than was taken
	over  bool
	total int64
	err   error
}

// splices reports whether spliceTo can be used. It cannot with SO_RCVTIMEO or SO_SNDTIMEO, because they bound calls that wait, and a splice
// makes none.
func (c *TCPConn) splices(w *TCPConn) bool {
	return c.so.stack == w.so.stack && c.so.rd.timeout.Load() == 0 && w.so.wr.timeout.Load() == 0
}

// spliceTo is WriteTo for a connection of the same stack.
func (c *TCPConn) spliceTo(w *TCPConn) (int64, error) {
	sl := c.so.stack.newSleeper()
	defer c.so.stack.freeSleeper(sl)
	sp := &splice{from: c, to: w, waiter: sl}
	sp.change.Func = sp.wake
	sp.room.Func = sp.change.Func
	c.so.Waiters().Add(&sp.change, poll.In|poll.RdHup)
	defer c.so.Waiters().Remove(&sp.change)
	if w != c {
		w.so.Waiters().Add(&sp.change, 0)
		defer w.so.Waiters().Remove(&sp.change)
	}
	for !sp.run() {
		sl.sleep(sp.until())
	}
	return sp.total, sp.err
}

// until is the deadline at which the splice fails.
func (sp *splice) until() time.Duration {
	t := sp.from.so.rd.until(never)
	if sp.blocked.Load() {
		t = sp.to.so.wr.until(t)
	}
	return t
}

// wake is called at an event of from or to, with the lock of its waiters held. WriteTo handles an end, a deadline or a Close.
func (sp *splice) wake(events poll.Mask) {
	switch {
	case events&poll.Always != 0:
		sp.waiter.Wake()
	case !sp.queued.Swap(true):
		sp.from.so.stack.ready.add(sp)
	}
}

// Run moves the bytes that have arrived, and wakes WriteTo at the end of the splice.
func (sp *splice) Run() {
	sp.queued.Store(false)
	if sp.run() {
		sp.waiter.Wake()
	}
}

// run moves the bytes that have arrived, and reports whether the splice has ended.
func (sp *splice) run() (over bool) {
	sp.turns.Take(func() {
		sp.more = true
		for !sp.over && (sp.q.Len() > 0 || sp.take()) && sp.put() {
		}
		over = sp.over
	})
	return over
}

// take takes the bytes that have arrived, and reports whether there were any.
func (sp *splice) take() bool {
	if !sp.more {
		return false
	}
	so := sp.from.so
	if err := so.refused(&so.rd); err != nil {
		sp.end("read", sp.from, err)
		return false
	}
	var err error
	sp.q, sp.more, err = sp.from.stream.Take(lot)
	if sp.q.Len() == 0 && err != syscall.EAGAIN {
		sp.end("read", sp.from, err)
	}
	return sp.q.Len() > 0
}

// put writes the bytes that take has taken, and reports whether it wrote all of them. If not, Run is called when it can continue.
func (sp *splice) put() bool {
	if !sp.to.writing.TryLock() { // a Write is in progress, whose bytes must stay together
		if !sp.held.Swap(true) {
			go sp.afterWrite()
		}
		return false
	}
	defer sp.to.writing.Unlock()
	so := sp.to.so
	if err := so.refused(&so.wr); err != nil {
		sp.end("write", sp.to, err)
		return false
	}
	for sp.q.Len() > 0 {
		n, err := sp.to.stream.Write(sp.q.Front(), false)
		sp.q.Discard(n)
		sp.total += int64(n)
		switch {
		case err == nil:
		case err != syscall.EAGAIN:
			sp.end("write", sp.to, err)
			return false
		case sp.blocked.Load():
			return false
		default:
			sp.wait(true) // and try once more
		}
	}
	sp.wait(false)
	return true
}

// afterWrite waits for the end of the Write and continues.
func (sp *splice) afterWrite() {
	sp.to.writing.Lock()
	sp.held.Store(false)
	sp.to.writing.Unlock()
	sp.wake(poll.Out)
}

// wait registers room with the waiters of to, or removes it.
func (sp *splice) wait(blocked bool) {
	if sp.blocked.Swap(blocked) == blocked {
		return
	}
	queue := sp.to.so.Waiters()
	if !blocked {
		queue.Remove(&sp.room)
		return
	}
	queue.Add(&sp.room, poll.Out)
	if sp.to.so.wr.deadline.Load() != 0 {
		sp.waiter.Wake() // it sleeps without the deadline
	}
}

// end ends the splice with the error of an operation on c; nil: the end of the stream.
func (sp *splice) end(op string, c *TCPConn, err error) {
	sp.over, sp.err = true, c.error(op, err)
	sp.q.Release()
	sp.wait(false)
}
