package sockets

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Loop calls handlers when descriptors become ready, all on one goroutine: a descriptor that is idle costs a map entry.
type Loop struct {
	epoll, wake int // wake is an eventfd that ends the loop
	done        chan struct{}

	mu       sync.Mutex
	handlers map[int32]func(events uint32)
}

// NewLoop starts a Loop. Errors are those of epoll_create1(2).
func NewLoop() (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &Loop{epoll: epoll, handlers: map[int32]func(uint32){}, done: make(chan struct{})}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, l.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.wake)}); err != nil {
		unix.Close(epoll)
		unix.Close(l.wake)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	go l.run()
	return l, nil
}

// Add calls f at each new event of fd (EPOLLET), until Remove. f must not block.
func (l *Loop) Add(fd int, f func(events uint32)) error {
	l.mu.Lock()
	l.handlers[int32(fd)] = f
	l.mu.Unlock()
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(fd)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		l.forget(fd)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// Remove forgets fd, before its close. A call of its handler that has begun continues.
func (l *Loop) Remove(fd int) {
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil) // ENOENT: Add has failed
	l.forget(fd)
}

func (l *Loop) forget(fd int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.handlers, int32(fd))
}

func (l *Loop) run() {
	defer close(l.done)
	var events [128]unix.EpollEvent
	for {
		n, err := unix.EpollWait(l.epoll, events[:], -1)
		if err != nil && err != unix.EINTR {
			return // Close has closed it
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == int32(l.wake) {
				return
			}
			l.mu.Lock()
			f := l.handlers[e.Fd]
			l.mu.Unlock()
			if f != nil {
				f(e.Events)
			}
		}
	}
}

// Close ends the loop, and returns when no handler runs any more.
func (l *Loop) Close() {
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-l.done
	unix.Close(l.epoll)
	unix.Close(l.wake)
}
