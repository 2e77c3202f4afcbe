package netns

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run starts a command, of Reexec or any other, passes signals on to it and returns its exit status, or 128 plus the number of
// the signal that ended it, as a shell does. The error is that of starting the command.
func Run(cmd *exec.Cmd) (status int, err error) {
	// Pdeathsig follows the thread that starts the command, so this thread must live as long as the command.
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
	cmd.Wait() // ProcessState below has the details
	return exitStatus(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// forwarded are the signals that Run passes to a command.
var forwarded = []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP}

// forward passes signals to the process, except those that the terminal has already sent to it.
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

// inForeground reports whether keys like Ctrl-C signal this process, and with it every other process of its group.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
