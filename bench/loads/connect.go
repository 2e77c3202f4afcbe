package loads

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/bench/stacks"
)

// connect opens connections, echoes one byte on each and closes it, atOnce at a time; with a reset, or with a FIN.
func connect(atOnce int, reset bool) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		var opened atomic.Int64
		var failed atomic.Pointer[error]
		var stop atomic.Bool
		var running sync.WaitGroup
		for range atOnce {
			running.Go(func() {
				for !stop.Load() {
					if err := visit(t, netip.AddrPort{}, reset); err != nil {
						failed.CompareAndSwap(nil, &err)
						return
					}
					opened.Add(1)
				}
			})
		}
		time.Sleep(t.Window / 4)
		begin, before, cpu := time.Now(), opened.Load(), t.CPU()
		time.Sleep(t.Window)
		n, cpu := opened.Load()-before, t.CPU()-cpu
		seconds := time.Since(begin).Seconds()
		stop.Store(true)
		running.Wait()
		if err := failed.Load(); err != nil {
			return nil, *err
		}
		if n == 0 {
			return nil, fmt.Errorf("no connection in %v", t.Window)
		}
		return Result{"rate": float64(n) / seconds, "cpu": cpu.Seconds() * 1e6 / float64(n)}, nil
	}
}

// visit opens a connection, echoes one byte and closes it.
func visit(t Target, own netip.AddrPort, reset bool) error {
	fd, err := dialFrom(own, t, stacks.EchoPort)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b := []byte{'x'}
	if _, err := unix.Write(fd, b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Read(fd, b)
	}
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if reset {
		return resetOnClose(fd)
	}
	return nil
}
