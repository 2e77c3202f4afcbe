package dgram

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
)

// Cork gathers the bytes of several calls into one datagram (MSG_MORE, UDP_CORK). The zero value is ready for use; it is safe for
// concurrent use.
type Cork struct {
	pending atomic.Bool
	mu      sync.Mutex
	data    []byte
	to      netip.AddrPort // as given to the first call
	control Control
	room    int // size of the largest datagram there, in bytes
}

// Pending reports whether a datagram has begun, so that the next call continues it.
func (c *Cork) Pending() bool { return c.pending.Load() }

// Add adds b to the datagram. The first call begins it if check finds its addresses valid; check returns the size of the largest
// datagram between them. Unless more is to follow, Add then sends the datagram by send. It returns the number of bytes taken. Errors:
// EMSGSIZE, which discards the datagram, and those of check and send.
func (c *Cork) Add(b []byte, to netip.AddrPort, control Control, more bool, check func() (room int, err error), send Sender) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pending.Load() {
		room, err := check()
		if err != nil {
			return 0, err
		}
		c.to, c.control, c.room = to, control, room
		c.pending.Store(true)
	}
	if len(c.data)+len(b) > c.room {
		c.clear()
		return 0, syscall.EMSGSIZE
	}
	c.data = append(c.data, b...)
	if more {
		return len(b), nil
	}
	return len(b), c.push(send)
}

// Push sends the gathered datagram (UDP_CORK is turned off). It does nothing when no datagram has begun.
func (c *Cork) Push(send Sender) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.push(send)
}

// Sender sends a datagram.
type Sender func(b []byte, to netip.AddrPort, c Control) (int, error)

func (c *Cork) push(send Sender) error {
	if !c.pending.Load() {
		return nil
	}
	defer c.clear()
	_, err := send(c.data, c.to, c.control)
	return err
}

func (c *Cork) clear() {
	c.data, c.control = nil, Control{}
	c.pending.Store(false)
}
