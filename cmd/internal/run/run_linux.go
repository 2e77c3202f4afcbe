package run

import (
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
	"tunstack/internal/netns"
)

// Config says how the program runs.
type Config struct {
	Filter     notify.Filter
	Interfaces []Interface // of the stack
	Routes     []Route     // of the stack
}

// Run runs cmd, whose sockets are those of the stack behind conn, passes signals on to it, and returns its exit status when it and all its
// children have ended. It owns conn.
func Run(cmd *exec.Cmd, conn *net.UnixConn, cfg Config) (status int, err error) {
	if err := check(cmd); err != nil {
		conn.Close()
		return 0, err
	}
	s := &Supervisor{byCookie: map[uint64]*socket{}, byID: map[uint64]*socket{}, tables: newTables(cfg)}
	if s.loop, err = sockets.NewLoop(); err != nil {
		conn.Close()
		return 0, err
	}
	defer s.loop.Close()
	defer s.processes.Close()
	if err := s.gate.open(); err != nil {
		conn.Close()
		return 0, fmt.Errorf("run: %w", err)
	}
	defer s.gate.close()
	var resets sync.WaitGroup
	s.client = sockets.NewClient(conn, func(r sockets.Response) {
		if r.Op == sockets.OpReset {
			resets.Go(func() { s.reset(r.Socket) })
		}
	})
	status, err = s.run(cmd, cfg.Filter)
	closed := s.client.Close()
	resets.Wait()
	if errors.Is(closed, net.ErrClosed) {
		closed = nil
	}
	return status, errors.Join(err, closed)
}

// run starts the program and answers its calls until it and its children have ended.
func (s *Supervisor) run(cmd *exec.Cmd, filter notify.Filter) (status int, err error) {
	var started error
	listener, done, err := notify.Supervise(filter, func() { status, started = netns.Run(cmd) })
	if err != nil {
		return 0, explain(err)
	}
	defer listener.Close()
	s.listener = listener
	err = s.serve()
	<-done
	return status, errors.Join(started, err)
}

// explain says what a kernel lacks.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: this kernel has no seccomp user notification; `tunstack run` needs Linux 5.14", err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: another supervisor answers the calls of this process; `tunstack run` cannot run inside `tunstack run`", err)
	}
	return err
}

// check finds the program, and refuses one whose calls the filter does not understand.
func check(cmd *exec.Cmd) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	f, err := elf.Open(cmd.Path)
	if err != nil {
		return nil // a script; or exec says what is wrong
	}
	defer f.Close()
	if f.Class != elf.ELFCLASS64 {
		return fmt.Errorf("%s is a 32-bit program, whose system calls `tunstack run` cannot answer", cmd.Path)
	}
	info, err := os.Stat(cmd.Path)
	if err == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		fmt.Fprintf(cmd.Stderr, "tunstack: %s runs without the rights of its owner: a program under `tunstack run` cannot gain any\n", cmd.Path)
	}
	return nil
}
