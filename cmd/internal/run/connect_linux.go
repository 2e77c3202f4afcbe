package run

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

// connect handles connect(2). A blocking one waits as a program with a non-blocking socket does, by poll.
func (s *Supervisor) connect(c notify.Call, so *socket, file int) *reply {
	a, err := readSockaddr(c.Thread, c.Args[1], uint32(c.Args[2]), so.domain, s.tables)
	if err != nil {
		return failed(err)
	}
	if !so.stream {
		_, err := s.do(so, sockets.Request{Op: sockets.OpConnect, Addr: a}, -1)
		return returned(0, err)
	}
	if err = s.begin(c, so, file, sockets.Request{Op: sockets.OpConnect, Addr: a}); err == nil || !blocking(file) {
		return returned(0, err)
	}
	if err != unix.EINPROGRESS && err != unix.EALREADY {
		return failed(err)
	}
	switch err := s.waitFor(c, file, unix.POLLOUT, deadline(file, unix.SO_SNDTIMEO)); err {
	case nil:
	case unix.EAGAIN:
		return failed(unix.EINPROGRESS)
	default:
		return failed(err)
	}
	if !hungUp(file) {
		return &reply{undo: func() { so.owe() }}
	}
	_, err = s.do(so, sockets.Request{Op: sockets.OpConnect, Addr: a}, -1) // returns the outcome
	so.mu.Lock()
	defer so.mu.Unlock()
	if renewErr := s.renew(c, so, file); err == nil {
		err = renewErr
	}
	return returned(0, err)
}

// owe makes the next connect succeed.
func (so *socket) owe() {
	so.mu.Lock()
	defer so.mu.Unlock()
	so.owed = true
}

// begin begins to connect a stream. The pair holds stuffing until the outcome, so that the program's end is not writable.
func (s *Supervisor) begin(c notify.Call, so *socket, file int, r sockets.Request) error {
	so.mu.Lock()
	defer so.mu.Unlock()
	if so.owed {
		so.owed = false
		return nil
	}
	if so.joined && hungUp(file) && r.Addr.IsValid() { // an attempt has failed
		if err := s.renew(c, so, file); err != nil {
			return err
		}
	}
	if so.attached && !so.stuffed {
		r.Args[0] = stuff(file)
		so.stuffed = true
	}
	_, err := s.do(so, r, -1)
	if so.attached || err != nil && err != unix.EINPROGRESS || !r.Addr.IsValid() {
		return err
	}
	if attachErr := s.attach(so, file, true); attachErr != nil {
		return attachErr
	}
	return err
}

// attach gives the stack the other end of a stream that the program has.
func (s *Supervisor) attach(so *socket, file int, stuffed bool) error {
	other, err := s.gate.join(file)
	if err != nil {
		return err
	}
	defer unix.Close(other)
	so.joined = true
	for _, end := range []int{file, other} {
		if err := unix.SetsockoptInt(end, unix.SOL_SOCKET, unix.SO_SNDBUF, pairBuffer); err != nil {
			return err
		}
	}
	r := sockets.Request{Op: sockets.OpAttach}
	if stuffed {
		r.Args[0] = stuff(file)
		so.stuffed = true
	}
	_, err = s.do(so, r, other)
	so.attached = err == nil
	return err
}

// stuff makes the program's end of a pair unwritable for poll: it holds more than a quarter of its send buffer. It returns the
// number of bytes.
func stuff(file int) int {
	size, err := unix.GetsockoptInt(file, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil {
		return 0
	}
	n, err := unix.SendmsgN(file, make([]byte, size/4+1), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err != nil {
		return 0
	}
	return n
}

// renew replaces the program's end of a stream, whose connection has failed, by one that is not connected. file becomes a copy of
// the new one. Copies that the program has of its descriptor keep the old one.
func (s *Supervisor) renew(c notify.Call, so *socket, file int) error {
	flags, err := unix.FcntlInt(uintptr(file), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	fresh, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags&unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fresh)
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if tv, err := unix.GetsockoptTimeval(file, unix.SOL_SOCKET, option); err == nil {
			_ = unix.SetsockoptTimeval(fresh, unix.SOL_SOCKET, option, tv) // a value that the kernel has given
		}
	}
	if err := s.listener.Replace(c, fresh, int(int32(c.Args[0])), closedOnExec(c)); err != nil {
		return err
	}
	s.remove(so)
	so.joined, so.attached, so.stuffed = false, false, false
	if err := unix.Dup3(fresh, file, unix.O_CLOEXEC); err != nil {
		return err
	}
	return s.add(so, file)
}

// closedOnExec reports whether the descriptor of a call has FD_CLOEXEC.
func closedOnExec(c notify.Call) bool {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", c.Thread, int32(c.Args[0])))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(info)) {
		var flags int
		if n, _ := fmt.Sscanf(line, "flags: %o", &flags); n == 1 {
			return flags&unix.O_CLOEXEC != 0
		}
	}
	return false
}

// hungUp reports whether the other end of a pair is closed.
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, _ := unix.Poll(fds, 0)
	return n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

// deadline is the end of a wait under SO_RCVTIMEO or SO_SNDTIMEO of the program's end, which the kernel keeps; the zero Time: none.
func deadline(file, option int) time.Time {
	tv, err := unix.GetsockoptTimeval(file, unix.SOL_SOCKET, option)
	if err != nil || tv.Nano() == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(tv.Nano()))
}

// checkEvery is the longest time after which a wait notices that a signal has ended its call.
const checkEvery = time.Second

// waitFor waits until the program's end shows an event, an error or a hang-up. Errors: EAGAIN at the deadline, EINTR when the call has ended.
func (s *Supervisor) waitFor(c notify.Call, file int, events int16, end time.Time) error {
	for {
		wait := checkEvery
		if !end.IsZero() {
			wait = min(wait, time.Until(end))
		}
		fds := []unix.PollFd{{Fd: int32(file), Events: events}}
		n, err := unix.Poll(fds, int((max(wait, 0)+time.Millisecond-1)/time.Millisecond))
		switch {
		case err != nil && err != unix.EINTR:
			return err
		case !s.listener.Waits(c):
			return unix.EINTR
		case n > 0:
			return nil
		case !end.IsZero() && !time.Now().Before(end):
			return syscall.EAGAIN
		}
	}
}
