package netns

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// initEnv, set to 1, makes Init act. coversEnv are the Covers in JSON.
const (
	initEnv   = "TUNSTACK_INIT"
	coversEnv = "TUNSTACK_COVERS"
)

// Isolate returns a command, not yet started, that runs cmd in its own PID and mount namespaces: it sees and signals only its
// own processes, and no other process sees its mounts. Files stay the user's, except those that covers hide. This program is process 1
// there and calls Init.
func Isolate(cmd *exec.Cmd, covers ...Cover) *exec.Cmd {
	isolated := exec.Command(self, append([]string{cmd.Path}, cmd.Args...)...)
	isolated.Args[0] = os.Args[0]
	isolated.Stdin, isolated.Stdout, isolated.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
	list, _ := json.Marshal(covers) // strings always marshal
	isolated.Env = append(cmd.Environ(), initEnv+"=1", coversEnv+"="+string(list))
	isolated.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	return isolated
}

// Init must be called first by a program that uses Isolate. If Isolate started this process, Init runs the command and exits
// with its status.
func Init() {
	if os.Getenv(initEnv) != "1" || os.Getpid() != 1 {
		return
	}
	os.Unsetenv(initEnv)
	os.Unsetenv(insideEnv) // the parent's number is meaningless in this namespace
	covers := os.Getenv(coversEnv)
	os.Unsetenv(coversEnv)
	status, err := runInit(covers, os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func runInit(covers, path string, args []string) (status int, err error) {
	if err := mountProc(); err != nil {
		return 0, err
	}
	if err := mountCovers(covers); err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	cmd := &exec.Cmd{Path: path, Args: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go forward(cmd.Process, signals, nil)
	return reap(cmd.Process.Pid)
}

// mountProc shows the namespace's processes in /proc. A container that hides parts of /proc does not allow that. Then the old
// one stays, which lists processes that cannot be signalled.
func mountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// mountCovers puts the files of a list in JSON over others.
func mountCovers(list string) error {
	var covers []Cover
	if err := json.Unmarshal([]byte(list), &covers); err != nil {
		return fmt.Errorf("%s: %w", coversEnv, err)
	}
	for _, c := range covers {
		if err := unix.Mount(c.With, c.Path, "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("mount over %s: %w", c.Path, err)
		}
	}
	return nil
}

// reap waits for the process pid, and for every orphaned process, because process 1 becomes its parent.
func reap(pid int) (status int, err error) {
	for {
		var ws unix.WaitStatus
		switch ended, err := unix.Wait4(-1, &ws, 0, nil); {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case ended == pid:
			return exitStatus(syscall.WaitStatus(ws)), nil
		}
	}
}
