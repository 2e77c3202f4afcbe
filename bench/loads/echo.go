package loads

import (
	"fmt"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"tunstack/bench/stacks"
)

// maxSamples bounds the number of latencies kept in one measurement.
const maxSamples = 1 << 20

// echo sends one byte on each of the first inFlight connections, and for each byte that comes back, one on the connection idle
// for the longest time. A single thread does that with raw system calls: Go's scheduler does not affect the figures.
func echo(connections, inFlight int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		e := echoer{sent: map[int]time.Time{}, samples: make([]time.Duration, 0, maxSamples)}
		defer func() { resetAll(e.fds) }()
		for range connections {
			fd, err := dial(t, stacks.EchoPort)
			if err != nil {
				return nil, err
			}
			e.fds = append(e.fds, fd)
		}
		if err := e.begin(inFlight); err != nil {
			return nil, err
		}
		for len(e.samples) < 2*connections { // until each connection has allocated its memory
			if err := e.run(t.Window / 4); err != nil {
				return nil, err
			}
		}
		e.samples = e.samples[:0]
		cpu, begin := t.CPU(), time.Now()
		if err := e.run(t.Window); err != nil {
			return nil, err
		}
		seconds := time.Since(begin).Seconds()
		return e.result(seconds, t.CPU()-cpu), nil
	}
}

// echoOfMany measures an echo's cost for the stack with as many connections as are in flight, and with many more.
func echoOfMany(few, many int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		base, err := echo(few, few)(t)
		if err != nil {
			return nil, err
		}
		r, err := echo(many, few)(t)
		if err != nil {
			return nil, err
		}
		r["few"], r["share"] = base["cpu"], r["cpu"]/base["cpu"]
		return r, nil
	}
}

type echoer struct {
	fds     []int
	resting []int // without a byte in flight, the longest idle first
	epoll   int   // if there are several connections
	events  [64]unix.EpollEvent
	sent    map[int]time.Time
	samples []time.Duration
}

// begin sends the first bytes.
func (e *echoer) begin(inFlight int) error {
	e.resting = slices.Clone(e.fds)
	if len(e.fds) > 1 {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return os.NewSyscallError("epoll_create1", err)
		}
		e.epoll = fd
		e.fds = append(e.fds, fd) // closed with the others
	}
	for _, fd := range e.resting {
		if e.epoll != 0 {
			event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
			if err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
				return os.NewSyscallError("epoll_ctl", err)
			}
		}
	}
	for range inFlight {
		if err := e.send(); err != nil {
			return err
		}
	}
	return nil
}

// send sends a byte on the connection idle for the longest time.
func (e *echoer) send() error {
	fd := e.resting[0]
	e.resting = e.resting[1:]
	b := [1]byte{'x'}
	e.sent[fd] = time.Now()
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1)
	if errno != 0 {
		return os.NewSyscallError("write", errno)
	}
	return nil
}

// turn reads one byte and sends the next.
func (e *echoer) turn(fd int) error {
	var b [1]byte
	n, errno := uintptr(0), unix.EINTR
	for errno == unix.EINTR {
		n, _, errno = unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1)
	}
	if errno != 0 || n == 0 {
		return fmt.Errorf("read: %d bytes, %w", n, errno)
	}
	if len(e.samples) < cap(e.samples) {
		e.samples = append(e.samples, time.Since(e.sent[fd]))
	}
	e.resting = append(e.resting, fd)
	return e.send()
}

func (e *echoer) run(d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if e.epoll == 0 {
			if err := e.turn(e.fds[0]); err != nil {
				return err
			}
			continue
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.epoll),
			uintptr(unsafe.Pointer(&e.events)), uintptr(len(e.events)), uintptr(patience.Milliseconds()), 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 || n == 0 {
			return fmt.Errorf("epoll_wait: %d events, %w", n, errno)
		}
		for i := range n {
			if err := e.turn(int(e.events[i].Fd)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *echoer) result(seconds float64, cpu time.Duration) Result {
	trips := len(e.samples)
	slices.Sort(e.samples)
	at := func(share float64) float64 { return e.samples[int(share*float64(trips-1))].Seconds() * 1e6 }
	return Result{"rate": float64(trips) / seconds, "p50": at(0.5), "p99": at(0.99), "cpu": cpu.Seconds() * 1e6 / float64(trips)}
}
