package socketapi

import (
	"io"
	"sync/atomic"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
)

// Watch calls a function when a socket shows events, without a goroutine that waits for them: the goroutine that reads the device calls
// it, after the batch of packets that brought the events and before the answers to that batch. It is for programs that carry the bytes of many
// sockets elsewhere.
type Watch struct {
	so     *socket
	f      func()
	waiter poll.Waiter
	queued atomic.Bool // Run is scheduled
	turns  poll.Turns
	ended  atomic.Bool   // Stop was called
	q      packet.Stream // taken from the socket, and not yet taken by Receive's write; used by one Receive at a time
}

// Watch calls f after events of fd among events, POLLERR and POLLHUP, at least once after the latest; one call at a time. f must not block: it uses
// calls with MSG_DONTWAIT, or Receive. Events from before the call of Watch are not reported. Errors: EBADF.
func (s Berkeley) Watch(fd int, events Events, f func()) (*Watch, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return nil, err
	}
	w := &Watch{so: so, f: f}
	w.waiter.Func = w.wake
	so.Waiters().Add(&w.waiter, events)
	return w, nil
}

// Run calls the function of the watch now, or soon on the goroutine in which it runs already.
func (w *Watch) Run() {
	w.queued.Store(false)
	w.turns.Take(w.step)
}

func (w *Watch) step() {
	if w.ended.Load() {
		w.q.Release()
		return
	}
	w.f()
}

// Stop ends the watch. A call of the function that has begun continues, and is the last.
func (w *Watch) Stop() {
	w.so.Waiters().Remove(&w.waiter)
	w.ended.Store(true)
	w.Run()
}

// wake is called with the lock of the socket's waiters held.
func (w *Watch) wake(poll.Mask) {
	if !w.queued.Swap(true) {
		w.so.stack.ready.add(w)
	}
}

// Receive calls write with bytes that the stream of the watch has received, in order, until there are no more or write takes fewer than it was
// given. The slices are the stack's and valid during the call. Receive keeps bytes that write did not take for the next call. It returns write's
// error; else EAGAIN when there is no byte left, io.EOF at the end of the stream, or the error that the network reported. It may not run twice at
// the same time.
func (w *Watch) Receive(write func(b []byte) (int, error)) error {
	st, ok := w.so.endpoint.(stream)
	if !ok {
		return syscall.EOPNOTSUPP
	}
	for {
		for w.q.Len() > 0 {
			n, err := write(w.q.Front())
			w.q.Discard(n)
			if err != nil {
				return err
			}
		}
		if w.so.closed.Load() {
			return syscall.EBADF
		}
		q, _, err := st.Take(lot)
		switch {
		case err != nil:
			return err
		case q.Len() == 0:
			return io.EOF
		}
		w.q = q
	}
}
