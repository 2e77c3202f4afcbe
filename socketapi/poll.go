package socketapi

import (
	"slices"
	"syscall"
	"time"

	"tunstack/internal/poll"
)

// PollFd is one descriptor for Poll to check. Poll ignores a negative Fd.
type PollFd struct {
	Fd      int
	Events  Events // the events to wait for
	Revents Events // the events that Poll found, among Events, POLLERR, POLLHUP and POLLNVAL
}

// Poll waits until a descriptor shows one of its Events, sets the Revents, and returns the number of descriptors with Revents; 0 when
// the timeout passes. A timeout of 0 does not wait, a negative one waits for ever.
func (s Berkeley) Poll(fds []PollFd, timeout time.Duration) (int, error) {
	if n := s.look(fds); n > 0 || timeout == 0 {
		return n, nil
	}
	until := never
	if timeout > 0 {
		until = s.Now() + timeout
	}
	sl := s.newSleeper()
	defer s.freeSleeper(sl)
	for _, f := range fds {
		if so, err := s.sockets.get(f.Fd); err == nil {
			so.Waiters().Add(sl.Waiter, f.Events)
			defer so.Waiters().Remove(sl.Waiter)
		}
	}
	for {
		if n := s.look(fds); n > 0 || s.Now() >= until {
			return n, nil
		}
		sl.sleep(until)
	}
}

// look sets the Revents of all descriptors and counts those with any.
func (s *Stack) look(fds []PollFd) (n int) {
	for i := range fds {
		f := &fds[i]
		f.Revents = 0
		if f.Fd < 0 {
			continue
		}
		if so, err := s.sockets.get(f.Fd); err != nil {
			f.Revents = poll.Nval
		} else {
			f.Revents = so.Ready() & (f.Events | poll.Always)
		}
		if f.Revents != 0 {
			n++
		}
	}
	return n
}

// Select is Poll with the arguments of select(2): it returns the descriptors of read on which a receive or accept would not block,
// those of write on which a send would not block, and those of except with urgent data. Errors: EBADF for an invalid descriptor.
func (s Berkeley) Select(read, write, except []int, timeout time.Duration) (r, w, e []int, err error) {
	var fds []PollFd
	for _, set := range []struct {
		fds    []int
		events Events
	}{{read, POLLIN}, {write, POLLOUT}, {except, POLLPRI}} {
		for _, fd := range set.fds {
			fds = append(fds, PollFd{Fd: fd, Events: set.events})
		}
	}
	if slices.ContainsFunc(fds, func(f PollFd) bool { return f.Fd < 0 }) {
		return nil, nil, nil, syscall.EBADF
	}
	if _, err := s.Poll(fds, timeout); err != nil {
		return nil, nil, nil, err
	}
	for _, f := range fds {
		switch {
		case f.Revents&POLLNVAL != 0:
			return nil, nil, nil, syscall.EBADF
		case f.Events == POLLIN && f.Revents != 0:
			r = append(r, f.Fd)
		case f.Events == POLLOUT && f.Revents&(POLLOUT|POLLERR) != 0:
			w = append(w, f.Fd)
		case f.Events == POLLPRI && f.Revents&POLLPRI != 0:
			e = append(e, f.Fd)
		}
	}
	return r, w, e, nil
}
