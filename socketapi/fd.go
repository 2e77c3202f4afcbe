package socketapi

import (
	"container/heap"
	"sync"
	"syscall"
)

// table assigns descriptors to sockets: the lowest free number first, as POSIX requires.
type table struct {
	mu      sync.RWMutex
	sockets []*socket // by descriptor
	free    lowest    // descriptors below len(sockets) without a socket
	closed  bool      // the stack is closed: add fails
}

// add gives so a descriptor. The error is EBADF when the stack is closed.
func (t *table) add(so *socket) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return syscall.EBADF
	}
	if t.free.Len() == 0 {
		so.fd = len(t.sockets)
		t.sockets = append(t.sockets, so)
		return nil
	}
	so.fd = heap.Pop(&t.free).(int)
	t.sockets[so.fd] = so
	return nil
}

// get finds the socket of a descriptor.
func (t *table) get(fd int) (*socket, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if fd < 0 || fd >= len(t.sockets) || t.sockets[fd] == nil {
		return nil, syscall.EBADF
	}
	return t.sockets[fd], nil
}

// remove frees so's descriptor, and reports whether so still had it.
func (t *table) remove(so *socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sockets[so.fd] != so {
		return false
	}
	t.sockets[so.fd] = nil
	heap.Push(&t.free, so.fd)
	return true
}

// shut makes every later add fail and returns the open sockets.
func (t *table) shut() []*socket {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	var open []*socket
	for _, so := range t.sockets {
		if so != nil {
			open = append(open, so)
		}
	}
	return open
}

// lowest is a heap of descriptors.
type lowest []int

// Len implements heap.Interface.
func (l lowest) Len() int { return len(l) }

// Less implements heap.Interface.
func (l lowest) Less(i, j int) bool { return l[i] < l[j] }

// Swap implements heap.Interface.
func (l lowest) Swap(i, j int) { l[i], l[j] = l[j], l[i] }

// Push implements heap.Interface.
func (l *lowest) Push(fd any) { *l = append(*l, fd.(int)) }

// Pop implements heap.Interface.
func (l *lowest) Pop() any {
	last := len(*l) - 1
	fd := (*l)[last]
	*l = (*l)[:last]
	return fd
}
