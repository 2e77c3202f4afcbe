// Package poll is readiness: the events that a socket has now, and waiting for more. Every blocking call, every deadline and
// Poll itself are built on it; sockets themselves never block.
package poll

import (
	"sync"
	"sync/atomic"
)

// Mask is a set of readiness events with poll(2)'s numbers on Linux.
type Mask uint16

const (
	In    Mask = 0x0001 // POLLIN: a receive or an accept would not block
	Pri   Mask = 0x0002 // POLLPRI: urgent data
	Out   Mask = 0x0004 // POLLOUT: a send would not block
	Err   Mask = 0x0008 // POLLERR: an error is pending
	Hup   Mask = 0x0010 // POLLHUP: both directions are closed
	Nval  Mask = 0x0020 // POLLNVAL: no such descriptor
	RdHup Mask = 0x2000 // POLLRDHUP: the peer will send no more

	// Delivered is not one of poll(2)'s: the peer has acknowledged all data sent.
	Delivered Mask = 0x4000

	// Always are the events reported without being asked for.
	Always = Err | Hup | Nval
)

// Waiter waits for events of one or more WaitLists. C carries at most one token, however many events came; after a receive from C
// the waiter reads the sockets' state again to find the events. If Func is set, Notify calls it instead of sending to C, while
// the notifier holds its locks: Func must only record the event and return.
type Waiter struct {
	C    chan struct{}
	Func func(events Mask)
}

// NewWaiter returns a Waiter ready for use.
func NewWaiter() *Waiter { return &Waiter{C: make(chan struct{}, 1)} }

// Wake puts a token into C.
func (w *Waiter) Wake() {
	select {
	case w.C <- struct{}{}:
	default:
	}
}

// WaitList is the waiters of one socket. The zero value is ready for use; it is safe for concurrent use.
//
// Waiting without losing an event takes three steps: Add, look at the socket, receive from C.
type WaitList struct {
	want    atomic.Uint32 // union of the masks, so that Notify without waiters is one load
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	w    *Waiter
	mask Mask
}

// Add registers w for the events in mask, and always for those in Always.
func (l *WaitList) Add(w *Waiter, mask Mask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entry{w, mask | Always})
	l.want.Store(l.want.Load() | uint32(mask|Always))
}

// Remove undoes Add.
func (l *WaitList) Remove(w *Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := Mask(0)
	kept := l.entries[:0]
	for _, e := range l.entries {
		if e.w != w {
			kept = append(kept, e)
			want |= e.mask
		}
	}
	clear(l.entries[len(kept):])
	l.entries = kept
	l.want.Store(uint32(want))
}

// Notify wakes the waiters registered for any of events. The socket's state must already show them.
func (l *WaitList) Notify(events Mask) {
	if l.want.Load()&uint32(events) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		switch {
		case e.mask&events == 0:
		case e.w.Func != nil:
			e.w.Func(events)
		default:
			e.w.Wake()
		}
	}
}
