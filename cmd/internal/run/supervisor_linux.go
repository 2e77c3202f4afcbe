package run

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

// receivers is the number of goroutines that receive and answer calls. Calls that may wait for long get a goroutine of their own.
const receivers = 4

// Supervisor answers the calls of a program with the sockets of a stack.
type Supervisor struct {
	listener  *notify.Listener
	client    *sockets.Client
	loop      *sockets.Loop
	processes notify.Processes
	gate      gate
	tables    *tables
	receiving sync.Mutex // one receiver waits in the kernel; the others wait for it

	mu       sync.Mutex
	byCookie map[uint64]*socket
	byID     map[uint64]*socket
	made     int // sockets so far

	sweeping sync.Mutex
	lonely   int // sockets whose close the stack does not see, after the latest sweep
}

// socket is one of the program's.
type socket struct {
	id        uint64 // the stack's name for it
	cookie    uint64 // the kernel's, of the program's end
	inode     uint64
	domain    int
	stream    bool
	protocol  int
	netlink   *netlinkEnd   // of AF_NETLINK
	datagrams *datagramPair // of a datagram socket

	accepting sync.Mutex // OpAccept, and the removal of the byte from the pair

	mu        sync.Mutex // one call that changes the state at a time
	joined    bool       // the program's end has another end
	attached  bool       // the stack has that other end, and sees the close
	stuffed   bool       // the pair holds bytes that are not data
	listening bool
	owed      bool // a connect has succeeded that a signal has interrupted
	thread    int  // that made the latest call, and
	fd        int  // its descriptor
}

// reply answers a call. A nil reply has been answered already.
type reply struct {
	result int
	errno  syscall.Errno
	run    bool   // the kernel runs the call
	undo   func() // called if the call has ended before its answer; nil: nothing is lost
}

var proceed = &reply{run: true}

func failed(err error) *reply { return &reply{errno: errnoOf(err)} }

func returned(n int, err error) *reply {
	if err != nil {
		return failed(err)
	}
	return &reply{result: n}
}

// delivered is the reply to a call that a descriptor ends, after err of its delivery.
func delivered(err error) *reply {
	if err == nil || err == notify.ErrGone {
		return nil
	}
	return failed(err)
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}

// handlers are the calls on sockets. They get the socket and a copy of the program's descriptor, which the caller closes.
var handlers = map[int]func(*Supervisor, notify.Call, *socket, int) *reply{
	unix.SYS_BIND:        (*Supervisor).bind,
	unix.SYS_CONNECT:     (*Supervisor).connect,
	unix.SYS_LISTEN:      (*Supervisor).listen,
	unix.SYS_ACCEPT:      (*Supervisor).accept,
	unix.SYS_ACCEPT4:     (*Supervisor).accept,
	unix.SYS_GETSOCKNAME: (*Supervisor).getsockname,
	unix.SYS_GETPEERNAME: (*Supervisor).getpeername,
	unix.SYS_SHUTDOWN:    (*Supervisor).shutdown,
	unix.SYS_SETSOCKOPT:  (*Supervisor).setsockopt,
	unix.SYS_GETSOCKOPT:  (*Supervisor).getsockopt,
	unix.SYS_SENDTO:      (*Supervisor).sendto,
	unix.SYS_RECVFROM:    (*Supervisor).recvfrom,
	unix.SYS_SENDMSG:     (*Supervisor).sendmsg,
	unix.SYS_RECVMSG:     (*Supervisor).recvmsg,
	unix.SYS_SENDMMSG:    (*Supervisor).sendmmsg,
	unix.SYS_RECVMMSG:    (*Supervisor).recvmmsg,
	unix.SYS_IOCTL:       (*Supervisor).ioctl,
}

// serve answers calls until no process with the filter is left.
func (s *Supervisor) serve() error {
	errs := make(chan error, receivers)
	for range receivers {
		go func() { errs <- s.receive() }()
	}
	var first error
	for range receivers {
		if err := <-errs; err != io.EOF && first == nil {
			first = err
		}
	}
	return first
}

func (s *Supervisor) receive() error {
	for {
		s.receiving.Lock()
		c, err := s.listener.Receive()
		s.receiving.Unlock()
		if err != nil {
			return err
		}
		if c.Nr == unix.SYS_SOCKET {
			s.answer(c, s.create(c))
			continue
		}
		s.handle(c)
	}
}

// handle answers a call on a descriptor. The kernel runs the call if the descriptor is not a socket of the stack.
func (s *Supervisor) handle(c notify.Call) {
	file, err := s.processes.File(c.Thread, int(int32(c.Args[0])))
	if err != nil {
		s.answer(c, s.unreadable(err))
		return
	}
	so := s.find(file)
	if so == nil {
		unix.Close(file)
		s.answer(c, proceed)
		return
	}
	so.note(c.Thread, int(int32(c.Args[0])))
	if so.netlink != nil {
		s.answerNetlink(c, so, file)
		return
	}
	work := func() {
		defer unix.Close(file)
		s.answer(c, handlers[c.Nr](s, c, so, file))
	}
	if mayWait(c, so, file) {
		go work()
		return
	}
	work()
}

// note remembers a descriptor of the socket.
func (so *socket) note(thread, fd int) {
	so.mu.Lock()
	defer so.mu.Unlock()
	so.thread, so.fd = thread, fd
}

// unreadable is the answer to a call whose descriptor cannot be read: the kernel has the error of one that is not open.
func (s *Supervisor) unreadable(err error) *reply {
	if err == unix.EPERM {
		return failed(unix.EPERM)
	}
	return proceed
}

// mayWait reports whether a call may wait for the network.
func mayWait(c notify.Call, so *socket, file int) bool {
	switch c.Nr {
	case unix.SYS_CONNECT, unix.SYS_ACCEPT, unix.SYS_ACCEPT4:
		return so.stream && blocking(file)
	case unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG:
		return blocking(file)
	}
	return false
}

// blocking reports whether the descriptor is in blocking mode.
func blocking(file int) bool {
	flags, err := unix.FcntlInt(uintptr(file), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK == 0
}

// answer ends a call. A call that has ended meanwhile needs no answer.
func (s *Supervisor) answer(c notify.Call, r *reply) {
	switch {
	case r == nil:
	case r.run:
		_ = s.listener.Continue(c)
	default:
		if err := s.listener.Return(c, r.result, r.errno); err != nil && r.undo != nil {
			r.undo()
		}
	}
}

// find returns the socket whose program's end file is; nil: it is another file.
func (s *Supervisor) find(file int) *socket {
	cookie, err := unix.GetsockoptUint64(file, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byCookie[cookie]
}

// add enters a socket, whose program's end is file.
func (s *Supervisor) add(so *socket, file int) error {
	cookie, err := unix.GetsockoptUint64(file, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(file, &stat); err != nil {
		return err
	}
	so.cookie, so.inode = cookie, stat.Ino
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byCookie[cookie] = so
	if so.netlink == nil {
		s.byID[so.id] = so
	}
	return nil
}

// remove forgets a socket.
func (s *Supervisor) remove(so *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byCookie, so.cookie)
	if so.netlink == nil {
		delete(s.byID, so.id)
	}
}

// do performs a call of the socket on the stack.
func (s *Supervisor) do(so *socket, r sockets.Request, file int) (sockets.Response, error) {
	r.Socket = so.id
	return s.client.Do(r, file)
}
