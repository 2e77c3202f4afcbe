package ports

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// crowded remembers the destinations to which every ephemeral port is in use. The next Connect to such a destination tries only
// the ports released since, instead of all.
type crowded struct {
	count atomic.Int32 // of destinations, so that Release costs one load while there are none
	mu    sync.Mutex   // taken last
	freed map[destination][]uint16
}

type destination struct {
	local  netip.Addr
	remote netip.AddrPort
}

// Bounds of the memory. After more than maxFreed released ports the next Connect searches all ports again.
const (
	maxCrowded = 64
	maxFreed   = 256
)

// enter records that no port is left for d.
func (c *crowded) enter(d destination) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freed == nil {
		c.freed = make(map[destination][]uint16)
	}
	if len(c.freed) >= maxCrowded {
		clear(c.freed)
	}
	c.freed[d] = nil
	c.count.Store(int32(len(c.freed)))
}

// leave records that d has free ports.
func (c *crowded) leave(d destination) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.freed, d)
	c.count.Store(int32(len(c.freed)))
}

// next returns a port released since d was entered, 0 if no port is left; known is false if d is not crowded.
func (c *crowded) next(d destination) (port uint16, known bool) {
	if c.count.Load() == 0 {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list, known := c.freed[d]
	if n := len(list); n > 0 {
		port = list[n-1]
		c.freed[d] = list[:n-1]
	}
	return port, known
}

// release records the release of a port, to whatever destination.
func (c *crowded) release(port uint16) {
	if c.count.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for d, list := range c.freed {
		if len(list) < maxFreed {
			c.freed[d] = append(list, port)
		} else {
			delete(c.freed, d)
		}
	}
	c.count.Store(int32(len(c.freed)))
}
