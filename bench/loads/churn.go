package loads

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// churnTimeout bounds the time that a slow stack takes.
const churnTimeout = time.Minute

// churn opens connections, echoes one byte on each and closes it, atOnce at a time, and measures the memory that remains.
func churn(connections, atOnce int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		ends, err := ownEnds(t, t.Host.Addr(), connections+atOnce)
		if err != nil {
			return nil, err
		}
		warm, ends := ends[:atOnce], ends[atOnce:]
		if err := visitAll(t, warm, atOnce); err != nil { // the first connections have one-time costs
			return nil, err
		}
		before, err := resident(t)
		if err != nil {
			return nil, err
		}
		begin, cpu := time.Now(), t.CPU()
		if err := visitAll(t, ends, atOnce); err != nil {
			return nil, err
		}
		seconds := time.Since(begin).Seconds()
		cpu = t.CPU() - cpu
		after, err := resident(t)
		if err != nil {
			return nil, err
		}
		n, err := t.Connections()
		r := Result{
			"rate": float64(connections) / seconds, "cpu": cpu.Seconds() * 1e6 / float64(connections),
			"bytes": float64(after-before) / float64(connections),
		}
		if n >= 0 {
			r["left"] = float64(n)
		}
		return r, err
	}
}

// visitAll makes a visit from each of the client's ends, atOnce at a time.
func visitAll(t Target, ends []netip.AddrPort, atOnce int) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	for deadline := time.Now().Add(churnTimeout); atOnce > 0; atOnce-- {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ends)) && failed.Load() == nil; i = next.Add(1) - 1 {
				err := visit(t, ends[i], false)
				if err == nil && time.Now().After(deadline) {
					err = fmt.Errorf("only %d connections in %v", i, churnTimeout)
				}
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
