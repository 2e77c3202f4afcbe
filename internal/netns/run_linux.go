package netns

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run starts a command, of Reexec or any other, passes signals on to it and returns its exit status, 128 and the
// signal's number if a signal ended it, as a shell does. The error says why it could not be started.
func Run(cmd *exec.Cmd) (status int, err error) {
	// Pdeathsig is about the thread that starts the command, so this one must live as long as it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, explainStart(cmd, err)
	}
	done := make(chan struct{})
	defer close(done)
	go forward(cmd.Process, signals, done)
	cmd.Wait() // the state tells more than the error
	return exitStatus(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// forwarded are the signals that a command is passed.
var forwarded = []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP}

// forward passes signals to the process, except those which the terminal has sent to it too.
func forward(p *os.Process, signals <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case s := <-signals:
			if (s == unix.SIGINT || s == unix.SIGQUIT) && inForeground() {
				continue
			}
			p.Signal(s)
		}
	}
}

// inForeground says whether keys like Ctrl-C reach this process, and then every other of its group.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
