package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// own is a stack for one program alone: `tunstack up` as a child, behind a control socket of its own.
type own struct {
	control string
	dir     string
	in      io.WriteCloser // its close ends a sandbox
	cmd     *exec.Cmd
	ended   chan struct{}
}

// startOwn starts `tunstack up` with flags, and returns when it is ready. Its messages go to log, except those of a success.
func startOwn(flags []string, log io.Writer) (_ *own, err error) {
	dir, err := os.MkdirTemp("", "tunstack-")
	if err != nil {
		return nil, err
	}
	o := &own{dir: dir, control: filepath.Join(dir, "control.sock"), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	if err := o.prepare(flags); err != nil {
		return nil, err
	}
	messages, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o.cmd.Stdout, o.cmd.Stderr = w, w
	if o.in, err = o.cmd.StdinPipe(); err == nil {
		err = o.start()
	}
	w.Close()
	if err != nil {
		messages.Close()
		return nil, err
	}
	lines := bufio.NewScanner(messages)
	if err := untilReady(lines); err != nil {
		o.stop()
		return nil, err
	}
	go func() {
		defer messages.Close()
		for lines.Scan() {
			if isMessage(lines.Text()) {
				fmt.Fprintln(log, lines.Text())
			}
		}
	}()
	return o, nil
}

// prepare makes the command.
func (o *own) prepare(flags []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{"up", "--control=" + o.control}, flags...)
	if !slices.ContainsFunc(flags, func(f string) bool { return strings.HasPrefix(f, "--services=") }) {
		args = append(args, "--services=none")
	}
	if slices.Contains(flags, "--sandbox=true") {
		args = append(args, "--", "cat") // ends when its input does: with this process at the latest
	}
	o.cmd = exec.Command(self, args...)
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true} // Ctrl-C is the program's
	return nil
}

// start starts the command on a thread that lives as long as it, which Pdeathsig requires.
func (o *own) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(o.ended)
		err := o.cmd.Start()
		started <- err
		if err == nil {
			_ = o.cmd.Wait() // its messages say why it has failed
		}
	}()
	return <-started
}

// untilReady reads messages until the line that says that the stack answers. Without one the error is the last message.
func untilReady(lines *bufio.Scanner) error {
	last := ""
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready ") {
			return nil
		}
		last = lines.Text()
	}
	return errors.New(cmp.Or(strings.TrimPrefix(last, "tunstack: "), "the stack has ended"))
}

// isMessage reports whether a line of up is an error or a log record.
func isMessage(line string) bool {
	return strings.HasPrefix(line, "tunstack: ") || strings.HasPrefix(line, "time=")
}

// stop ends the stack.
func (o *own) stop() {
	o.in.Close()
	_ = o.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-o.ended
	os.RemoveAll(o.dir)
}
