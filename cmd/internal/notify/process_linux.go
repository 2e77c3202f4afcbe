package notify

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Read copies memory of a thread's process at addr into b. It returns fewer bytes than len(b) only with an error.
func Read(thread int, addr uint64, b []byte) error {
	return copyMemory(unix.ProcessVMReadv, thread, addr, b)
}

// Write copies b into the memory of a thread's process at addr. Errors: EFAULT, ESRCH, EPERM.
func Write(thread int, addr uint64, b []byte) error {
	return copyMemory(unix.ProcessVMWritev, thread, addr, b)
}

func copyMemory(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), thread int, addr uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}
	n, err := call(thread, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	if err == nil && n < len(b) {
		err = unix.EFAULT
	}
	return err
}

// Processes opens descriptors of other processes. It keeps a pidfd for each of the latest threads.
type Processes struct {
	mu      sync.Mutex
	threads map[int]int // pidfds by thread
}

// maxThreads bounds the pidfds that Processes keeps.
const maxThreads = 256

// File returns a copy of a descriptor of a thread's process, which the caller closes. Errors: EBADF; ESRCH; EPERM where the kernel's
// policy forbids it (ptrace(2), "Ptrace access mode checking").
func (p *Processes) File(thread, fd int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pidfd, ok := p.threads[thread]; ok {
		n, err := unix.PidfdGetfd(pidfd, fd, 0)
		if err != unix.ESRCH {
			return n, err
		}
		unix.Close(pidfd) // another thread has the number now
		delete(p.threads, thread)
	}
	pidfd, err := openThread(thread)
	if err != nil {
		return -1, err
	}
	p.keep(thread, pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

func (p *Processes) keep(thread, pidfd int) {
	if p.threads == nil {
		p.threads = map[int]int{}
	}
	for other, old := range p.threads {
		if len(p.threads) < maxThreads {
			break
		}
		unix.Close(old)
		delete(p.threads, other)
	}
	p.threads[thread] = pidfd
}

// Close closes the pidfds.
func (p *Processes) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pidfd := range p.threads {
		unix.Close(pidfd)
	}
	p.threads = nil
}

// openThread returns a pidfd of a thread, or before Linux 6.9 of its process.
func openThread(thread int) (int, error) {
	pidfd, err := unix.PidfdOpen(thread, unix.PIDFD_THREAD)
	if err != unix.EINVAL {
		return pidfd, err
	}
	process, err := processOf(thread)
	if err != nil {
		return -1, err
	}
	return unix.PidfdOpen(process, 0)
}

// processOf returns the process that a thread belongs to.
func processOf(thread int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return 0, syscall.ESRCH
	}
	for line := range strings.Lines(string(status)) {
		var process int
		if n, _ := fmt.Sscanf(line, "Tgid: %d", &process); n == 1 {
			return process, nil
		}
	}
	return 0, syscall.ESRCH
}
