package socketapi

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"tunstack/internal/packet"
)

// batchSize and batchOctets bound what is handled at one reading of the clock, and acknowledged together: senders shall not wait
// for that until the last octet of a long queue is read.
const (
	batchSize   = 64
	batchOctets = 1 << 20
)

// receive carries the packets of a device's queue up the stack until the device is closed.
func (s *Stack) receive(q *queue) {
	for {
		n, err := s.handle(q)
		if n > 0 {
			// Those who were woken go first: their replies carry the acknowledgments, and may have brought the next
			// packets already.
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

// handle carries a batch of what waits in a queue up the stack and returns their number. What can be
// answered once for all of them is left pending.
func (s *Stack) handle(q *queue) (n int, err error) {
	q.link.Cork(q.number)
	defer q.link.Uncork(q.number)
	s.ready.batch(func() { n, err = s.read(q) })
	return n, err
}

// read is the part of handle up to the sockets.
func (s *Stack) read(q *queue) (n int, err error) {
	now := s.Now()
	for octets := 0; n < batchSize && octets < batchOctets; n++ {
		var p *packet.Buffer
		if p, err = q.TryRead(); p == nil {
			break
		}
		octets += p.Len()
		p.Queue, p.Batch = q.number, &q.pending
		q.link.Input(now, p)
	}
	return n, err
}

// flush answers what was left pending.
func (q *queue) flush(now time.Duration) {
	q.link.Cork(q.number)
	defer q.link.Uncork(q.number)
	q.pending.Flush(now)
}

// Inject takes a datagram received by the interface name, one with an Output function, and returns once it has been
// processed. The slice stays the caller's. Errors: ENODEV without such an interface.
func (s *Stack) Inject(name string, datagram []byte) error {
	for _, a := range s.links {
		if a.name == name && a.callback != nil {
			a.callback.Inject(s.Now(), datagram)
			return nil
		}
	}
	return syscall.ENODEV
}

// NextDeadline is when the stack has something to do by itself; false when it has nothing.
func (s *Stack) NextDeadline() (time.Duration, bool) { return s.timers.Next() }

// Advance runs a stack with a VirtualClock up to the moment to: it handles what waits in the devices and calls each
// timer when it is due, moving the clock along. It returns true if there was anything to do, also with to not
// after Now, so that stacks joined to each other can be advanced in turn until all of them rest. A stack with
// another clock runs by itself, and Advance panics.
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

// pump handles what waits in all devices' queues, and says whether there was anything.
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
