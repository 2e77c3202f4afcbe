package socketapi

import (
	"errors"
	"math"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/internal/timer"
)

// never is later than every time of the clock.
const never = time.Duration(math.MaxInt64)

// direction is the state of blocking calls of one half of a socket, receiving or sending.
type direction struct {
	mask     poll.Mask    // the events that its calls wait for
	timeout  atomic.Int64 // SO_RCVTIMEO, SO_SNDTIMEO: the longest time that a call blocks; 0: for ever; noWait: not at all
	deadline atomic.Int64 // of net.Conn, in the stack's time: from then on calls fail, even if data is ready; 0: none
}

// passed reports whether the deadline has passed.
func (d *direction) passed(s *Stack) bool {
	at := d.deadline.Load()
	return at != 0 && s.Now() >= time.Duration(at)
}

// until is the earlier one of the deadline and end, at which a call's timeout ends.
func (d *direction) until(end time.Duration) time.Duration {
	if at := d.deadline.Load(); at != 0 {
		return min(end, time.Duration(at))
	}
	return end
}

// errMoved is EAGAIN of an op that has transferred data: the timeout restarts.
var errMoved = errors.New("would block after a partial transfer")

// wait is the one place where socket calls block. It calls op until the result is neither EAGAIN nor errMoved, and sleeps
// in between until the socket shows an event of d.mask. It returns op's error; EAGAIN when the timeout ends or dontWait is set; EBADF
// when the socket is closed.
func (so *socket) wait(d *direction, dontWait bool, op func() error) error {
	if err := so.refused(d); err != nil {
		return err
	}
	err := op()
	if err == errMoved || err == syscall.EAGAIN && !dontWait {
		return so.block(d, op)
	}
	return err
}

// refused is the error of a call that fails even if data is ready: EBADF on a closed socket, EAGAIN when the deadline has passed.
func (so *socket) refused(d *direction) error {
	switch {
	case so.closed.Load():
		return syscall.EBADF
	case d.passed(so.stack):
		return syscall.EAGAIN
	}
	return nil
}

// block is the part of wait that sleeps.
func (so *socket) block(d *direction, op func() error) error {
	end := so.timeout(d)
	err := error(syscall.EAGAIN)
	so.await(d.mask, func() time.Duration { return d.until(end) }, func() bool {
		if so.closed.Load() {
			err = syscall.EBADF
		} else {
			err = op()
		}
		if err == errMoved {
			err, end = syscall.EAGAIN, so.timeout(d)
		}
		return err != syscall.EAGAIN
	})
	return err
}

// timeout is the time at which a call that begins to wait now times out.
func (so *socket) timeout(d *direction) time.Duration {
	t, now := time.Duration(d.timeout.Load()), so.stack.Now()
	if t == 0 || t > never-now {
		return never
	}
	return now + t
}

// await sleeps until done returns true, which it calls at every event of mask, or until the time until, which may change.
func (so *socket) await(mask poll.Mask, until func() time.Duration, done func() bool) {
	sl := so.stack.newSleeper()
	defer so.stack.freeSleeper(sl)
	so.Waiters().Add(sl.Waiter, mask)
	defer so.Waiters().Remove(sl.Waiter)
	for !done() {
		t := until()
		if t != never && so.stack.Now() >= t {
			return
		}
		sl.sleep(t)
	}
}

// wake wakes all waiters of the socket, so that they check it again.
func (so *socket) wake() { so.Waiters().Notify(poll.Always) }

// sleeper lets a goroutine wait for events of sockets and for a time of the stack's clock.
type sleeper struct {
	*poll.Waiter
	timer timer.Timer
}

// Expire implements timer.Handler.
func (sl *sleeper) Expire(time.Duration) { sl.Wake() }

// sleep returns at an event, at the time until, or spuriously.
func (sl *sleeper) sleep(until time.Duration) {
	if until != never {
		sl.timer.Arm(until)
	}
	<-sl.C
}

func (s *Stack) newSleeper() *sleeper {
	if sl, ok := s.sleepers.Get().(*sleeper); ok {
		return sl
	}
	sl := &sleeper{Waiter: poll.NewWaiter()}
	sl.timer.Init(&s.timers, sl)
	return sl
}

// freeSleeper returns sl to the pool. A late token in it makes its next user check once more than necessary.
func (s *Stack) freeSleeper(sl *sleeper) {
	sl.timer.Stop()
	s.sleepers.Put(sl)
}
