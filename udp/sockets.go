package udp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// sockets finds the sockets of a port. Packets look up without a lock: two levels of pointers lead to a list that is
// never changed, only replaced, so the path costs the same with one socket and with all ports in use.
type sockets struct {
	pages [256]atomic.Pointer[page] // by the upper octet of the port
	mu    sync.Mutex                // for those who replace lists
	key   uint64                    // odd; keys the spread over SO_REUSEPORT sockets
}

type page [256]atomic.Pointer[[]*Endpoint] // by the lower octet; the newest socket comes first

// on returns the sockets bound to a port. The slice must not be changed.
func (t *sockets) on(port uint16) []*Endpoint {
	if p := t.pages[port>>8].Load(); p != nil {
		if list := p[port&0xff].Load(); list != nil {
			return *list
		}
	}
	return nil
}

// add lists e under a port.
func (t *sockets) add(port uint16, e *Endpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slot := &t.pages[port>>8]
	if slot.Load() == nil {
		slot.Store(new(page))
	}
	list := append([]*Endpoint{e}, t.on(port)...)
	slot.Load()[port&0xff].Store(&list)
}

// remove undoes add.
func (t *sockets) remove(port uint16, e *Endpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slot := &t.pages[port>>8].Load()[port&0xff]
	if list := slices.DeleteFunc(slices.Clone(*slot.Load()), func(o *Endpoint) bool { return o == e }); len(list) > 0 {
		slot.Store(&list)
	} else {
		slot.Store(nil)
	}
}

// all returns every bound socket.
func (t *sockets) all() []*Endpoint {
	var list []*Endpoint
	for i := range t.pages {
		p := t.pages[i].Load()
		for lo := range 256 {
			if p != nil {
				list = append(list, t.on(uint16(i<<8|lo))...)
			}
		}
	}
	return list
}

// lookup finds the one socket for a datagram between local and remote: the most specific match; among equal ones that share the
// port by SO_REUSEPORT the one the four-tuple hashes to, else the newest.
func (t *sockets) lookup(local, remote netip.AddrPort) *Endpoint {
	var best *Endpoint
	score, sharing := 0, 0
	list := t.on(local.Port())
	for _, e := range list {
		st := e.state.Load()
		switch n := st.match(local, remote); {
		case n > score:
			best, score, sharing = e, n, 0
			if st.options.ReusePort {
				sharing = 1
			}
		case n == score && n > 0 && sharing > 0 && st.options.ReusePort:
			sharing++
		}
	}
	if sharing < 2 {
		return best
	}
	chosen := t.spread(local, remote, sharing)
	for _, e := range list {
		if st := e.state.Load(); st.options.ReusePort && st.match(local, remote) == score {
			if chosen == 0 {
				return e
			}
			chosen--
		}
	}
	return best
}

// spread maps a four-tuple to 0 to n-1.
func (t *sockets) spread(local, remote netip.AddrPort, n int) int {
	l, r := local.Addr().As4(), remote.Addr().As4()
	h := uint64(binary.BigEndian.Uint32(r[:]))<<16 | uint64(remote.Port())
	h = (h ^ uint64(binary.BigEndian.Uint32(l[:]))<<32) * t.key
	h = (h ^ h>>32) * t.key
	return int(h >> 32 % uint64(n))
}
