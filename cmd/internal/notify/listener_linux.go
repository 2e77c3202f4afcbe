package notify

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is a system call that waits for its answer.
type Call struct {
	id     uint64
	Thread int // the id of the thread that makes the call, in this process's pid namespace
	Nr     int
	Args   [6]uint64
}

// Listener receives the calls of all processes that have the filter.
type Listener struct{ fd int }

// notification is struct seccomp_notif.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	_     uint64 // instruction pointer
	args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	errno int32 // negative
	flags uint32
}

// addition is struct seccomp_notif_addfd.
type addition struct {
	id                    uint64
	flags, source, target uint32
	newFlags              uint32 // O_CLOEXEC
}

// ErrGone is the error of an answer whose call has ended: a signal has interrupted it, or its thread was killed.
var ErrGone = errors.New("the call has ended")

// Supervise calls f on a thread of its own, after it has given that thread the filter: processes that f starts have the filter, and their
// children, for ever. It also takes from them the rights that a setuid program would gain (PR_SET_NO_NEW_PRIVS), without which an
// unprivileged process may not set a filter. done is closed when f has returned. The caller closes the Listener.
func Supervise(filter Filter, f func()) (l *Listener, done <-chan struct{}, err error) {
	program, err := filter.program()
	if err != nil {
		return nil, nil, err
	}
	type outcome struct {
		fd  int
		err error
	}
	installed, ended := make(chan outcome), make(chan struct{})
	onThread(func() {
		defer close(ended)
		fd, err := install(program)
		installed <- outcome{fd, err}
		if err == nil {
			f()
		}
	})
	o := <-installed
	if o.err != nil {
		return nil, nil, o.err
	}
	// From Linux 6.6 on, the thread that answers and the one that is answered share a processor. Without it they are slower.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(o.fd), unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return &Listener{o.fd}, ended, nil
}

// onThread runs f on a thread that ends with it. The process's first thread never ends, so that f gets another one.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			f()
			return
		}
		defer runtime.UnlockOSThread()
		started := make(chan struct{})
		onThread(func() { close(started); f() })
		<-started // until then this goroutine keeps the first thread
	}()
}

// install sets the filter on the calling thread and returns its listener. Without WAIT_KILLABLE_RECV a signal interrupts a waiting call,
// as it does in the kernel.
func install(program []unix.SockFilter) (fd int, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, os.NewSyscallError("prctl", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	n, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return -1, os.NewSyscallError("seccomp", errno)
	}
	return int(n), nil
}

// Receive waits for the next call. The error is io.EOF when no process has the filter any more.
func (l *Listener) Receive() (Call, error) {
	for {
		fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return Call{}, os.NewSyscallError("poll", err)
		}
		switch {
		case fds[0].Revents&unix.POLLIN != 0:
		case fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0:
			return Call{}, io.EOF
		default:
			continue
		}
		var n notification
		err := l.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n))
		switch err {
		case nil:
			return Call{id: n.id, Thread: int(n.pid), Nr: int(n.nr), Args: n.args}, nil
		case unix.ENOENT, unix.EINTR: // the call was interrupted; this one was
		default:
			return Call{}, os.NewSyscallError("receive a system call", err)
		}
	}
}

// Return ends a call: with the result, or, unless errno is 0, with that error.
func (l *Listener) Return(c Call, result int, errno syscall.Errno) error {
	return l.respond(&response{id: c.id, val: int64(result), errno: -int32(errno)})
}

// Continue lets the kernel run a call. It reads the call's memory again, which another thread of the program may have changed meanwhile.
func (l *Listener) Continue(c Call) error {
	return l.respond(&response{id: c.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

func (l *Listener) respond(r *response) error {
	return gone(l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(r)))
}

// ReturnFile puts a copy of a descriptor into the program, closed on exec or not, and ends the call with its number, which it returns.
// The caller keeps fd. If the error is ErrGone, the program has not received it.
func (l *Listener) ReturnFile(c Call, fd int, cloexec bool) (int, error) {
	return l.add(&addition{id: c.id, flags: unix.SECCOMP_ADDFD_FLAG_SEND, source: uint32(fd)}, cloexec)
}

// Replace puts a copy of a descriptor into the program in place of its descriptor target. The call waits on.
func (l *Listener) Replace(c Call, fd, target int, cloexec bool) error {
	_, err := l.add(&addition{id: c.id, flags: unix.SECCOMP_ADDFD_FLAG_SETFD, source: uint32(fd), target: uint32(target)}, cloexec)
	return err
}

func (l *Listener) add(a *addition, cloexec bool) (int, error) {
	if cloexec {
		a.newFlags = unix.O_CLOEXEC
	}
	for {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(a)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return -1, gone(errno)
	}
}

// Waits reports whether a call still waits for its answer. What was read from the thread's memory before is then the call's.
func (l *Listener) Waits(c Call) bool {
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&c.id)) == nil
}

// Close makes every call that waits, and every later one, fail with ENOSYS.
func (l *Listener) Close() error { return unix.Close(l.fd) }

func (l *Listener) ioctl(request uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), uintptr(request), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}

// gone converts the error of an answer.
func gone(err error) error {
	if err == unix.ENOENT || err == unix.EINPROGRESS { // ended, answered
		return ErrGone
	}
	return err
}
