package socketapi

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"tunstack/internal/packet"
)

// batchSize and batchBytes bound a batch: the packets that are handled at one reading of the clock and acknowledged together. A sender
// waits for its ACK at most until the batch is read (docs/decisions/batches.md).
const (
	batchSize  = 64
	batchBytes = 1 << 20
)

// receive delivers the packets of a device's queue until the device is closed.
func (s *Stack) receive(q *queue) {
	for {
		n, err := s.handle(q)
		if n > 0 {
			// Yield, so that woken readers run before the batch is flushed: their replies carry the acknowledgments, and may
			// already have caused the next packets.
			runtime.Gosched()
			q.flush(s.Now())
		} else if err == nil {
			err = q.Wait()
		}
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				s.failed(q.device, err)
			}
			return
		}
	}
}

// handle delivers a batch of the packets that wait in a queue and returns their number. Acknowledgments that one packet can carry for
// the whole batch stay pending.
func (s *Stack) handle(q *queue) (n int, err error) {
	q.link.Cork(q.number)
	defer q.link.Uncork(q.number)
	s.ready.batch(func() { n, err = s.read(q) })
	return n, err
}

// read reads a batch and delivers it to the sockets.
func (s *Stack) read(q *queue) (n int, err error) {
	now := s.Now()
	for size := 0; n < batchSize && size < batchBytes; n++ {
		var p *packet.Buffer
		if p, err = q.TryRead(); p == nil {
			break
		}
		size += p.Len()
		p.Queue, p.Batch = q.number, &q.pending
		q.link.Input(now, p)
	}
	return n, err
}

// flush sends the pending acknowledgments.
func (q *queue) flush(now time.Duration) {
	q.link.Cork(q.number)
	defer q.link.Uncork(q.number)
	q.pending.Flush(now)
}

// Inject takes a datagram received by the interface name, one with an Output function, and returns once it has been
// processed. It does not keep the slice. Errors: ENODEV without such an interface.
func (s *Stack) Inject(name string, datagram []byte) error {
	for _, a := range s.links {
		if a.name == name && a.callback != nil {
			a.callback.Inject(s.Now(), datagram)
			return nil
		}
	}
	return syscall.ENODEV
}

// NextDeadline is the time of the earliest timer; false when none is armed.
func (s *Stack) NextDeadline() (time.Duration, bool) { return s.timers.Next() }

// Advance runs a stack with a VirtualClock up to the time to: it handles the packets that wait in the devices, moves the clock from
// timer to timer and calls each when it is due. It returns true if it handled a packet or a timer, even if to is not after Now, so
// that a program can advance connected stacks in turn until all of them are idle. It panics on a stack with another clock, which runs
// by itself.
func (s *Stack) Advance(to time.Duration) (busy bool) {
	for {
		if s.pump() || s.ready.run() {
			busy = true
			continue
		}
		at, ok := s.timers.Next()
		if !ok || at > to {
			s.virtual().Set(to)
			return busy
		}
		busy = true
		s.virtual().Set(at)
		s.timers.Advance(s.Now())
	}
}

// pump handles the packets that wait in the queues of all devices, and reports whether there were any.
func (s *Stack) pump() (busy bool) {
	for _, a := range s.links {
		for _, q := range a.queues {
			if n, _ := s.handle(q); n > 0 {
				q.flush(s.Now())
				busy = true
			}
		}
	}
	return busy
}
