package socketapi

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
)

// splice moves what arrives on one connection to another, or back to where it came from, for a WriteTo that waits for the end. It
// is run where the octets arrive, by the goroutine that reads the device, so that they wake nobody on their way.
type splice struct {
	from, to *TCPConn
	change   poll.Waiter // for what happens to from, and to the end of to
	room     poll.Waiter // while to takes no more
	waiter   *sleeper    // of the WriteTo
	queued   atomic.Bool // Run will be called
	blocked  atomic.Bool // room waits
	held     atomic.Bool // a Write is waited for

	// As with an endpoint, nobody waits for mu: who finds it taken leaves word.
	again atomic.Bool
	mu    sync.Mutex
	q     packet.Queue // taken, but not written
	more  bool         // from may have more than was taken
	over  bool
	total int64
	err   error
}

// splices says whether spliceTo will do. SO_RCVTIMEO and SO_SNDTIMEO are about calls that wait, and a splice makes none.
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

// until is when the splice fails if nothing moves.
func (sp *splice) until() time.Duration {
	t := sp.from.so.rd.until(never)
	if sp.blocked.Load() {
		t = sp.to.so.wr.until(t)
	}
	return t
}

// wake is called when from or to has changed, with their locks held. An end, a deadline or a Close is for WriteTo to see.
func (sp *splice) wake(events poll.Mask) {
	switch {
	case events&poll.Always != 0:
		sp.waiter.Wake()
	case !sp.queued.Swap(true):
		sp.from.so.stack.ready.add(sp)
	}
}

// Run moves what there is.
func (sp *splice) Run() {
	sp.queued.Store(false)
	if sp.run() {
		sp.waiter.Wake()
	}
}

// run moves what there is, and says whether that was the end.
func (sp *splice) run() (over bool) {
	sp.again.Store(true)
	for sp.again.Load() && sp.mu.TryLock() {
		sp.again.Store(false)
		sp.more = true
		for !sp.over && (sp.q.Len() > 0 || sp.take()) && sp.put() {
		}
		over = sp.over
		sp.mu.Unlock()
	}
	return over
}

// take takes what has arrived, and says whether that was anything.
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
	sp.q, sp.more, err = so.endpoint.(stream).Take(lot)
	if sp.q.Len() == 0 && err != syscall.EAGAIN {
		sp.end("read", sp.from, err)
	}
	return sp.q.Len() > 0
}

// put writes what was taken, and says whether that was all. If not, Run will be called when it can go on.
func (sp *splice) put() bool {
	if !sp.to.writing.TryLock() { // a Write is at work, whose octets stay together
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
		n, err := so.endpoint.(stream).Write(sp.q.Front(), false)
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
			sp.wait(true) // and look once more
		}
	}
	sp.wait(false)
	return true
}

// afterWrite goes on when the Write is done.
func (sp *splice) afterWrite() {
	sp.to.writing.Lock()
	sp.held.Store(false)
	sp.to.writing.Unlock()
	sp.wake(poll.Out)
}

// wait makes room wait, or no longer.
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
		sp.waiter.Wake() // which did not count
	}
}

// end ends the splice: what happened to c, or nothing at the end of the stream.
func (sp *splice) end(op string, c *TCPConn, err error) {
	sp.over, sp.err = true, c.error(op, err)
	sp.q.Release()
	sp.wait(false)
}
