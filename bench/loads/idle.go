package loads

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/bench/stacks"
)

// settle is the time for a stack to finish its work before its memory is measured.
const settle = 200 * time.Millisecond

// idle measures the memory of idle connections.
func idle(connections int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		if err := openIdle(t, t.Host.Addr(), 100); err != nil { // the first connections have one-time costs
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

// besideIdle measures one busy connection without and with idle ones.
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

// openIdle opens connections that stay open at the stack and use no memory of the client: the client's kernel forgets them
// without a FIN (TCP_REPAIR). The client's addresses are those below own.
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
