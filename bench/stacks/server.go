package stacks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is a stack under test, seen from the load generator's process.
type Server struct {
	Addr   netip.Addr
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors bytes.Buffer
	detach func()
}

// startTimeout and stopTimeout bound the time that a broken stack takes.
const (
	startTimeout = 10 * time.Second
	stopTimeout  = 5 * time.Second
)

// Start starts a stack in a new process and returns when it answers. The process inherits the CPU affinity of the calling
// thread.
func Start(spec Spec) (*Server, error) {
	peer, _ := Find(spec.Peer)
	arg, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: spec.Addr, cmd: exec.Command("/proc/self/exe", "-serve", string(arg))}
	if os.Getenv("GOMAXPROCS") == "" { // one for each queue, as in `tunstack up`; that suits every stack here
		s.cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", max(peer.procs, 1)))
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if peer.attach != nil {
		s.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	s.cmd.Stderr = &s.errors
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	watchdog := time.AfterFunc(startTimeout, func() { s.cmd.Process.Kill() })
	defer watchdog.Stop()
	if peer.attach != nil {
		if s.detach, err = peer.attach(s.cmd.Process.Pid, spec); err != nil {
			s.Stop()
			return nil, err
		}
	}
	if err := s.expect("ready"); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) expect(word string) error {
	line, err := s.out.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != word {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		return fmt.Errorf("the stack printed %q instead of %q: %s", line, word, strings.TrimSpace(s.errors.String()))
	}
	return nil
}

// Stop ends the process.
func (s *Server) Stop() error {
	s.in.Close()
	watchdog := time.AfterFunc(stopTimeout, func() { s.cmd.Process.Kill() })
	defer watchdog.Stop()
	s.cmd.Wait()
	if s.detach != nil {
		s.detach()
	}
	if s.errors.Len() > 0 {
		return fmt.Errorf("the stack printed: %s", strings.TrimSpace(s.errors.String()))
	}
	return nil
}

// Collect makes the process release its unused memory.
func (s *Server) Collect() error {
	if _, err := io.WriteString(s.in, "collect\n"); err != nil {
		return err
	}
	return s.expect("done")
}

// Connections is the stack's number of TCP connections outside TIME-WAIT; negative if it is unknown.
func (s *Server) Connections() (n int, err error) {
	if _, err := io.WriteString(s.in, "count\n"); err != nil {
		return 0, err
	}
	_, err = fmt.Fscanln(s.out, &n)
	return n, err
}

// CPU is the time that the process's threads have run, in user space and in the kernel.
func (s *Server) CPU() time.Duration {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	var total time.Duration
	for _, file := range tasks {
		b, _ := os.ReadFile(file) // a thread may have ended
		ran, _, _ := strings.Cut(string(b), " ")
		ns, _ := strconv.ParseInt(ran, 10, 64)
		total += time.Duration(ns)
	}
	return total
}

// Resident is the process's resident memory in bytes.
func (s *Server) Resident() (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var size, resident int
	_, err = fmt.Sscan(string(b), &size, &resident)
	return resident * os.Getpagesize(), err
}
