package run

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/sockets"
)

// sweepEvery is the number of new sockets after which sweep counts those without a pair, and the number of these after which it looks for
// the closed ones.
const sweepEvery = 64

// sweep closes sockets of the stack whose program's end is closed, and whose close nothing else shows: streams that were never connected,
// that a reset has ended, or that were shut down in both directions.
func (s *Supervisor) sweep() {
	s.mu.Lock()
	s.made++
	due := s.made%sweepEvery == 0
	var streams []*socket
	if due {
		streams = slices.DeleteFunc(slices.Collect(maps.Values(s.byID)), func(so *socket) bool { return !so.stream })
	}
	s.mu.Unlock()
	if !due || !s.sweeping.TryLock() {
		return
	}
	defer s.sweeping.Unlock()
	lonely := slices.DeleteFunc(streams, (*socket).watched)
	if len(lonely) < s.lonely+sweepEvery {
		return
	}
	open, err := unixInodes()
	if err != nil {
		return // the next time tries again
	}
	left := 0
	for _, so := range lonely {
		if open[so.inode] {
			left++
			continue
		}
		s.remove(so)
		s.close(so)
	}
	s.lonely = left
}

// watched reports whether the stack sees the close of the socket.
func (so *socket) watched() bool {
	so.mu.Lock()
	defer so.mu.Unlock()
	return so.attached
}

// unwatch notes that the stack does not see the close of the socket any more.
func (so *socket) unwatch() {
	so.mu.Lock()
	defer so.mu.Unlock()
	so.attached = false
}

// unixInodes returns the inodes of the AF_UNIX sockets of this network namespace.
func unixInodes() (map[uint64]bool, error) {
	text, err := os.ReadFile("/proc/self/net/unix")
	if err != nil {
		return nil, err
	}
	inodes := map[uint64]bool{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 7 {
			if inode, err := strconv.ParseUint(fields[6], 10, 64); err == nil {
				inodes[inode] = true
			}
		}
	}
	return inodes, nil
}

// reset handles a connection that the network has ended: the program reads ECONNRESET, because the stack closes its end of the pair with a byte
// in it. That byte comes by the program's own descriptor.
func (s *Supervisor) reset(id uint64) {
	s.mu.Lock()
	so := s.byID[id]
	s.mu.Unlock()
	if so == nil {
		return
	}
	if file := s.programEnd(so); file >= 0 {
		_, _ = unix.SendmsgN(file, []byte{0}, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) // EAGAIN: it is full; EPIPE: no longer writable
		unix.Close(file)
	}
	_, _ = s.do(so, sockets.Request{Op: sockets.OpReset}, -1) // EBADF: closed meanwhile
	so.unwatch()
}

// programEnd returns a copy of the program's descriptor of a socket: the one of its latest call, or one that a process of this user has. -1: it is
// closed.
func (s *Supervisor) programEnd(so *socket) int {
	so.mu.Lock()
	thread, fd := so.thread, so.fd
	so.mu.Unlock()
	if file := s.copyOf(so, thread, fd); file >= 0 {
		return file
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is valid
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != fmt.Sprintf("socket:[%d]", so.inode) {
			continue
		}
		var pid, fd int
		if _, err := fmt.Sscanf(link, "/proc/%d/fd/%d", &pid, &fd); err != nil || pid == os.Getpid() {
			continue
		}
		if file := s.copyOf(so, pid, fd); file >= 0 {
			return file
		}
	}
	return -1
}

// copyOf returns a copy of a descriptor if it is the socket's.
func (s *Supervisor) copyOf(so *socket, thread, fd int) int {
	if thread == 0 {
		return -1
	}
	file, err := s.processes.File(thread, fd)
	if err != nil {
		return -1
	}
	if s.find(file) != so {
		unix.Close(file)
		return -1
	}
	return file
}
