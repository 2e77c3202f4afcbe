package udp

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// sockets finds the socket of a datagram: a connected one by its four-tuple, another by its port.
//
// Packets look up a port without a lock: two levels of pointers lead to an entry that is never changed, only replaced. The path
// costs the same with one socket and with all ports in use, and with one connected socket on the port and with many.
type sockets struct {
	pages     [256]atomic.Pointer[page] // indexed by the upper byte of the port
	connected [64]stripe                // indexed by a hash of the four-tuple
	mu        sync.Mutex                // for changes of pages and entries
	key       uint64                    // keys the hash
}

type page [256]atomic.Pointer[entry] // indexed by the lower byte of the port

// entry lists the sockets of a port. The zero value is a port without sockets.
type entry struct {
	unconnected []*Socket // the newest comes first
	connected   int       // number of them in the stripes
}

// stripe is a part of the connected sockets. Several share a four-tuple only by SO_REUSEADDR or SO_REUSEPORT; the newest
// comes first. A list is never changed, only replaced.
type stripe struct {
	mu    sync.RWMutex
	lists map[ip.FourTuple][]*Socket
}

// on returns the sockets of a port.
func (t *sockets) on(port uint16) entry {
	if p := t.pages[port>>8].Load(); p != nil {
		if e := p[port&0xff].Load(); e != nil {
			return *e
		}
	}
	return entry{}
}

// change replaces the entry of a port.
func (t *sockets) change(port uint16, f func(*entry)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slot := &t.pages[port>>8]
	if slot.Load() == nil {
		slot.Store(new(page))
	}
	next := t.on(port)
	f(&next)
	if len(next.unconnected) == 0 && next.connected == 0 {
		slot.Load()[port&0xff].Store(nil)
	} else {
		slot.Load()[port&0xff].Store(&next)
	}
}

// add lists e under the addresses of its state st. A socket without a port is in no list.
func (t *sockets) add(e *Socket, st *dgram.State) {
	switch {
	case st.Local.Port() == 0:
	case connected(st):
		t.changeConnected(st, func(list []*Socket) []*Socket { return append([]*Socket{e}, list...) })
		t.change(st.Local.Port(), func(n *entry) { n.connected++ })
	default:
		t.change(st.Local.Port(), func(n *entry) { n.unconnected = append([]*Socket{e}, n.unconnected...) })
	}
}

// remove undoes add with the same state.
func (t *sockets) remove(e *Socket, st *dgram.State) {
	without := func(list []*Socket) []*Socket {
		return slices.DeleteFunc(slices.Clone(list), func(o *Socket) bool { return o == e })
	}
	switch {
	case st.Local.Port() == 0:
	case connected(st):
		t.change(st.Local.Port(), func(n *entry) { n.connected-- })
		t.changeConnected(st, without)
	default:
		t.change(st.Local.Port(), func(n *entry) { n.unconnected = without(n.unconnected) })
	}
}

func (t *sockets) stripe(tuple *ip.FourTuple) *stripe {
	return &t.connected[tuple.Hash(t.key)%uint64(len(t.connected))]
}

// changeConnected replaces the list of the connected sockets with st's four-tuple.
func (t *sockets) changeConnected(st *dgram.State, f func([]*Socket) []*Socket) {
	tuple := ip.NewFourTuple(st.Local, st.Remote)
	s := t.stripe(&tuple)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := f(s.lists[tuple])
	switch {
	case len(list) > 0 && s.lists == nil:
		s.lists = map[ip.FourTuple][]*Socket{tuple: list}
	case len(list) > 0:
		s.lists[tuple] = list
	default:
		if delete(s.lists, tuple); len(s.lists) == 0 {
			s.lists = nil // a Go map never shrinks
		}
	}
}

// between returns the sockets connected from local to remote.
func (t *sockets) between(local, remote netip.AddrPort) []*Socket {
	tuple := ip.NewFourTuple(local, remote)
	s := t.stripe(&tuple)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lists[tuple]
}

// all returns every bound socket.
func (t *sockets) all() []*Socket {
	var list []*Socket
	for i := range t.pages {
		p := t.pages[i].Load()
		for lo := range 256 {
			if p != nil {
				list = append(list, t.on(uint16(i<<8|lo)).unconnected...)
			}
		}
	}
	for i := range t.connected {
		s := &t.connected[i]
		s.mu.RLock()
		for _, l := range s.lists {
			list = append(list, l...)
		}
		s.mu.RUnlock()
	}
	return list
}

// lookup finds the socket for a datagram between local and remote that arrived by in: a connected one, else the most specific match
// on the port. Among equal matches that share the port by SO_REUSEPORT the hash of the four-tuple selects one, otherwise it is the
// newest.
func (t *sockets) lookup(local, remote netip.AddrPort, in *ip.Interface) *Socket {
	port := t.on(local.Port())
	if port.connected > 0 {
		if e := t.choose(t.between(local, remote), local, remote, in); e != nil {
			return e
		}
	}
	return t.choose(port.unconnected, local, remote, in)
}

// choose is lookup restricted to one list.
func (t *sockets) choose(list []*Socket, local, remote netip.AddrPort, in *ip.Interface) *Socket {
	var best *Socket
	score, sharing := 0, 0
	for _, e := range list {
		st := e.State()
		switch n := match(st, local, remote, in); {
		case n > score:
			best, score, sharing = e, n, 0
			if st.Options.ReusePort {
				sharing = 1
			}
		case n == score && n > 0 && sharing > 0 && st.Options.ReusePort:
			sharing++
		}
	}
	if sharing < 2 {
		return best
	}
	tuple := ip.NewFourTuple(local, remote)
	chosen := int(tuple.Hash(t.key) >> 32 % uint64(sharing))
	for _, e := range list {
		if st := e.State(); st.Options.ReusePort && match(st, local, remote, in) == score {
			if chosen == 0 {
				return e
			}
			chosen--
		}
	}
	return best
}

// candidates are the lists of the sockets that may match a broadcast or multicast datagram between local and remote.
func (t *sockets) candidates(local, remote netip.AddrPort) (lists [2][]*Socket) {
	port := t.on(local.Port())
	if port.connected > 0 {
		lists[0] = t.between(local, remote)
	}
	lists[1] = port.unconnected
	return lists
}
