package loads

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/bench/stacks"
)

// bulkBuffer is the size of the buffer for one system call of a bulk transfer.
const bulkBuffer = 128 << 10

func upload(connections int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		b := make([]byte, bulkBuffer) // all senders share the memory
		before, err := t.traffic()
		if err != nil {
			return nil, err
		}
		r, err := bulk(t, connections, stacks.DiscardPort, func() func(int) (int, error) {
			return func(fd int) (int, error) { return unix.Write(fd, b) }
		})
		if err != nil || !t.Blind {
			return r, err
		}
		after, err := t.traffic()
		share := after.passed(before)
		return Result{"gbps": r["gbps"] * share, "cpu": r["cpu"] / share}, err
	}
}

func download(connections int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		return bulk(t, connections, stacks.ChargenPort, func() func(int) (int, error) {
			b := make([]byte, bulkBuffer)
			return func(fd int) (int, error) { return unix.Read(fd, b) }
		})
	}
}

// bulk transfers on many connections at once and counts the bytes within the window.
func bulk(t Target, connections, port int, mover func() func(fd int) (int, error)) (Result, error) {
	var fds []int
	var running sync.WaitGroup
	var moved atomic.Int64
	var failed atomic.Pointer[error]
	defer func() {
		for _, fd := range fds {
			unix.Shutdown(fd, unix.SHUT_RDWR) // ends blocked calls
		}
		running.Wait()
		resetAll(fds)
	}()
	for range connections {
		fd, err := dialCubic(t, port)
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		running.Go(func() {
			err := move(fd, mover(), &moved)
			failed.CompareAndSwap(nil, &err)
		})
	}
	time.Sleep(t.Window / 2)
	begin, bytes, cpu := time.Now(), moved.Load(), t.CPU()
	time.Sleep(t.Window)
	bytes, cpu = moved.Load()-bytes, t.CPU()-cpu
	seconds := time.Since(begin).Seconds()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	if bytes == 0 {
		return nil, errors.New("no bytes transferred")
	}
	return Result{"gbps": float64(bytes) * 8 / 1e9 / seconds, "cpu": cpu.Seconds() / (float64(bytes) / 1e9)}, nil
}

// move calls f until it fails, and adds up the bytes that it moves. At the end of a measurement f fails, too.
func move(fd int, f func(int) (int, error), moved *atomic.Int64) error {
	for {
		n, err := f(fd)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the stack closed the connection")
		}
		moved.Add(int64(n))
	}
}
