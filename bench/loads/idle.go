package loads

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/bench/stacks"
)

// settle is how long a stack gets to finish what it has begun before its memory is measured.
const settle = 200 * time.Millisecond

// idle measures what idle connections cost.
func idle(connections int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		if err := openIdle(t, t.Host.Addr(), 100); err != nil { // what the first connections cost once for all
			return nil, err
		}
		before, err := resident(t)
		if err != nil {
			return nil, err
		}
		if err := openIdle(t, t.Host.Addr().Prev(), connections); err != nil {
			return nil, err
		}
		after, err := resident(t)
		return Result{"kib": float64(after-before) / 1024 / float64(connections)}, err
	}
}

func resident(t Target) (int, error) {
	time.Sleep(settle)
	if err := t.Collect(); err != nil {
		return 0, err
	}
	return t.Resident()
}

// besideIdle measures one busy connection beside idle ones, and before there are any.
func besideIdle(connections int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		alone, err := upload(1)(t)
		if err != nil {
			return nil, err
		}
		if err := openIdle(t, t.Host.Addr(), connections); err != nil {
			return nil, err
		}
		beside, err := upload(1)(t)
		if err != nil {
			return nil, err
		}
		beside["share"] = beside["gbps"] / alone["gbps"]
		return beside, nil
	}
}

// openIdle opens connections that stay open at the stack and cost the client nothing: the client's kernel forgets them
// without a word (TCP_REPAIR). The client's addresses are those below own.
func openIdle(t Target, own netip.Addr, connections int) error {
	ends, err := ownEnds(t, own, connections)
	if err != nil {
		return err
	}
	for i, end := range ends {
		if err := openForgotten(t, end); err != nil {
			return fmt.Errorf("idle connection %d: %w", i, err)
		}
	}
	return nil
}

func openForgotten(t Target, own netip.AddrPort) error {
	fd, err := dialFrom(own, t, stacks.HoldPort)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return os.NewSyscallError("TCP_REPAIR", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1))
}
