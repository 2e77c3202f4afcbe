package ports

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// crowded remembers the destinations to which every ephemeral port is in use. The next Connect to one need not try them all again, but
// only those that were given back meanwhile.
type crowded struct {
	count atomic.Int32 // of destinations: as long as there are none, Release has nothing to do here
	mu    sync.Mutex   // taken after a stripe's
	freed map[destination][]uint16
}

type destination struct {
	local  netip.Addr
	remote netip.AddrPort
}

// Bounds of what is remembered: beyond maxFreed ports given back, to try all is no worse.
const (
	maxCrowded = 64
	maxFreed   = 256
)

// enter says that no port is left for d.
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

// leave says that there are ports for d.
func (c *crowded) leave(d destination) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.freed, d)
	c.count.Store(int32(len(c.freed)))
}

// next is a port that was given back since d was entered, 0 when there is none; false when d is not crowded, as far as is known.
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

// release says that a port was given back, by whatever connection.
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
