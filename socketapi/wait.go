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

// never is a moment that does not come.
const never = time.Duration(math.MaxInt64)

// direction is one half of a socket, receiving or sending, as far as blocking goes.
type direction struct {
	mask     poll.Mask    // what its calls wait for
	timeout  atomic.Int64 // SO_RCVTIMEO, SO_SNDTIMEO: how long a call may block; 0: for ever; noWait
	deadline atomic.Int64 // of net.Conn, in the stack's time: when calls fail, whatever there is; 0: none
}

// passed says whether the deadline has come.
func (d *direction) passed(s *Stack) bool {
	at := d.deadline.Load()
	return at != 0 && s.Now() >= time.Duration(at)
}

// until is the moment to give up for a call whose timeout ends at end.
func (d *direction) until(end time.Duration) time.Duration {
	if at := d.deadline.Load(); at != 0 {
		return min(end, time.Duration(at))
	}
	return end
}

// errMoved is EAGAIN of an op that has done something since it was called: a timeout begins anew.
var errMoved = errors.New("more has been done, and more is to come")

// wait is the one place where socket calls block. It calls op until that fails with anything but EAGAIN or errMoved, and sleeps
// in between until the socket shows an event of d.mask. It returns op's error; EAGAIN when time is up or the caller will
// not wait; EBADF once the socket is closed, which ends the wait of whoever is here.
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

// refused is why a call fails whatever there is: EBADF of a closed socket, EAGAIN when the deadline has passed.
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

// timeout is when a call that begins to wait now has waited for long enough.
func (so *socket) timeout(d *direction) time.Duration {
	t, now := time.Duration(d.timeout.Load()), so.stack.Now()
	if t == 0 || t > never-now {
		return never
	}
	return now + t
}

// await sleeps until done, which it asks again at every event of mask, or until the moment until, which may move.
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

// wake makes everyone who waits for the socket look at it again.
func (so *socket) wake() { so.Waiters().Notify(poll.Always) }

// sleeper is a goroutine's means to wait for sockets and for a moment of the stack's time.
type sleeper struct {
	*poll.Waiter
	timer timer.Timer
}

// Expire implements timer.Handler.
func (sl *sleeper) Expire(time.Duration) { sl.Wake() }

// sleep returns when an event came, when until has come, or needlessly.
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

// freeSleeper takes sl back. A late token in it costs its next user one needless look.
func (s *Stack) freeSleeper(sl *sleeper) {
	sl.timer.Stop()
	s.sleepers.Put(sl)
}
