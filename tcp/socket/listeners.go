package socket

import (
	"net/netip"
	"slices"
	"sync"
)

// listeners finds who listens on a port.
type listeners struct {
	mu    sync.RWMutex
	ports map[uint16][]*listener
}

func (t *listeners) add(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports == nil {
		t.ports = make(map[uint16][]*listener)
	}
	t.ports[l.port] = append(t.ports[l.port], l)
}

func (t *listeners) remove(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(t.ports[l.port], func(o *listener) bool { return o == l })
	if t.ports[l.port] = rest; len(rest) == 0 {
		delete(t.ports, l.port)
	}
}

// find prefers a listener at the very address over one at the wildcard. Several that share the port (SO_REUSEPORT)
// divide the connections by their remote ends.
func (t *listeners) find(id tuple) *listener {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := t.ports[id.localPort]
	for _, addr := range [...]netip.Addr{id.localAddr(), netip.IPv4Unspecified()} {
		if n := count(all, addr); n > 0 {
			return nth(all, addr, id.spread()%n)
		}
	}
	return nil
}

func count(all []*listener, addr netip.Addr) (n int) {
	for _, l := range all {
		if l.addr == addr {
			n++
		}
	}
	return n
}

// nth is the listener at addr that n others are ahead of.
func nth(all []*listener, addr netip.Addr, n int) *listener {
	for _, l := range all {
		if l.addr != addr {
			continue
		}
		if n == 0 {
			return l
		}
		n--
	}
	return nil
}

// spread is a number that differs between remote ends.
func (t tuple) spread() int {
	return int(uint32(t.remotePort)*2654435761>>16 + uint32(t.remote[3]))
}
