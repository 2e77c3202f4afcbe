package socket

import (
	"container/list"
	"sync"
	"sync/atomic"

	"tunstack/tcp"
)

// orphans are the connections whose user has closed them: they still have data to send, or are in TIME-WAIT. Peers decide how
// long orphans live, so their memory is bounded. When the bound is exceeded, the orphans closed longest ago are reset: those of an
// honest peer would have finished (RFC 6429 section 3).
type orphans struct {
	mu     sync.Mutex
	list   list.List // of *connection, the one closed first in front
	memory int       // bytes that they hold together
}

// orphan is a connection's part in it.
type orphan struct {
	element *list.Element // nil: the connection is not an orphan
	memory  int           // bytes, counted in orphans.memory
	evicted atomic.Bool   // the holder of the lock is to reset it
}

// orphanBase is what a connection costs besides its buffers (tcp.Conn.Memory), in bytes.
const orphanBase = 4 << 10

func (o *orphans) add(h heldConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h.element == nil {
		h.element = o.list.PushBack(h.connection)
	}
	o.count(h)
}

// update counts the memory of an orphan anew, and removes it if its connection is closed. It does nothing for other connections.
func (o *orphans) update(h heldConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case h.element == nil:
	case h.tcb.State() == tcp.Closed:
		o.remove(h.connection)
	default:
		o.count(h)
	}
}

func (o *orphans) count(h heldConn) {
	o.memory -= h.orphan.memory
	h.orphan.memory = orphanBase + h.tcb.Memory()
	o.memory += h.orphan.memory
}

func (o *orphans) remove(c *connection) {
	o.list.Remove(c.element)
	o.memory -= c.orphan.memory
	c.element, c.orphan.memory = nil, 0
}

// evict takes out the orphan closed first if together they hold more than limit bytes; nil if they do not.
func (o *orphans) evict(limit int) *connection {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.memory <= limit {
		return nil
	}
	c := o.list.Front().Value.(*connection)
	o.remove(c)
	return c
}
