package socket

import "time"

// held proves that mu of a Socket is held. Methods that need the lock are methods of held, or of heldConn if they need a
// connection.
//
// The packet path and the timers never wait for mu. When another goroutine holds it, they leave their work to that goroutine: a
// segment in the backlog, anything else by setting again (poke). The holder looks for both before and after it unlocks (commit),
// so that nothing is left behind.
//
// The order of locks, the first above. A goroutine that holds one takes only locks below it, or to its right.
//
//	mu of a listening Socket
//	    │
//	mu of the Socket of a connection ──── orphans.mu
//	    │
//	listeners.mu
//	    │
//	listener.mu ──── halfOpen.mu
//	    │
//	stripe of ports.Table ──── its list of crowded destinations
//	    │
//	stripe of the table of connections
//	    │
//	poll.WaitList, timer.Queue, the locks of IP and of the link
//
// Of two connections none waits for the other's mu.
type held struct {
	*Socket
	now time.Duration // the time of the call
}

// heldConn is held of a connection.
type heldConn struct {
	*connection
	now time.Duration // never before that of an earlier holder
}

// begin locks the Socket for a call of its user, who then sees all that has arrived so far. The call ends with commit, or with
// commitLater if it causes no segment.
func (so *Socket) begin() held {
	so.mu.Lock()
	c, ok := so.state.(*connection)
	if !ok {
		return held{so, so.stack.now()}
	}
	h := heldConn{c, c.last} // within a batch time stands still
	if !c.batched.Load() {
		h.now = c.at(so.stack.now())
	}
	h.drain()
	h.handleEvents(c.tcb.Events())
	return held{so, h.now}
}

// connection is the Socket's connection; false if it is none.
func (h held) connection() (heldConn, bool) {
	c, ok := h.state.(*connection)
	return heldConn{c, h.now}, ok
}

// commit acts on what the call has changed, and unlocks.
func (h held) commit() {
	if c, ok := h.connection(); ok {
		c.commit()
	} else {
		h.mu.Unlock()
	}
}

// commitLater unlocks after a call that causes no segment. If a Flush is scheduled, acknowledgments wait for it, so that they can
// ride on the user's next write.
func (h held) commitLater() {
	if c, ok := h.connection(); ok {
		c.commitLater()
	} else {
		h.mu.Unlock()
	}
}

// lock waits for the lock. Only users may.
func (c *connection) lock(now time.Duration) heldConn {
	c.mu.Lock()
	return heldConn{c, c.at(now)}
}

// tryLock takes the lock if it is free.
func (c *connection) tryLock(now time.Duration) (heldConn, bool) {
	if !c.mu.TryLock() {
		return heldConn{}, false
	}
	return heldConn{c, c.at(now)}, true
}

// at is the time to tell the machine: now, unless an earlier holder of the lock has read the clock later.
func (c *connection) at(now time.Duration) time.Duration {
	c.last = max(c.last, now)
	return c.last
}

// commit processes the backlog and what the holder has changed - sends segments, wakes waiters, sets the timer - and unlocks. What
// another goroutine leaves too late for that makes the loop go round again, or that goroutine finds the lock free.
func (h heldConn) commit() {
	for {
		h.again.Store(false)
		h.drain()
		h.settle()
		h.mu.Unlock()
		if !h.again.Load() || !h.mu.TryLock() {
			return
		}
	}
}

// commitLater is held.commitLater.
func (h heldConn) commitLater() {
	if h.batched.Load() {
		h.unlockQuietly()
	} else {
		h.commit()
	}
}

// unlockQuietly unlocks without an answer, which the scheduled Flush gives, unless there is work left for the holder.
func (h heldConn) unlockQuietly() {
	h.mu.Unlock()
	if h.again.Load() && h.mu.TryLock() {
		h.commit()
	}
}

// poke makes sure that pending work is done: here if the lock is free, otherwise by its holder, who checks again after unlocking.
func (c *connection) poke(now time.Duration) {
	c.again.Store(true)
	if h, ok := c.tryLock(now); ok {
		h.commit()
	}
}

// Expire is called by the timer.
func (c *connection) Expire(now time.Duration) { c.poke(now) }

// Flush answers the segments of a batch.
func (c *connection) Flush(now time.Duration) {
	c.batched.Store(false)
	c.poke(now)
}
