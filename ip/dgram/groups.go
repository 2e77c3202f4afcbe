package dgram

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"tunstack/ip"
)

// Groups are the multicast groups that a socket has joined. The zero value is ready for use; it is safe for concurrent use.
//
// As on Linux, a socket receives the datagrams to every group that the stack has joined, unless it is bound to a group or
// IP_MULTICAST_ALL is off. The filter of a group that the socket itself has joined selects the sources.
type Groups struct {
	mu     sync.Mutex
	closed bool
	joined atomic.Pointer[[]membership] // never changed in place: packets read it without the lock
}

// membership is a group, the interface as the socket named it, and the filter of sources (RFC 3376 section 3.1).
type membership struct {
	group, iface netip.Addr
	include      bool         // receive from sources alone; else from all others
	sources      []netip.Addr // never changed in place
}

func (m *membership) is(group, iface netip.Addr) bool {
	return m.group == group && m.iface == normal(iface)
}

// normal is the zero Addr for an interface that the route is to choose.
func normal(iface netip.Addr) netip.Addr {
	if iface.IsUnspecified() {
		return netip.Addr{}
	}
	return iface
}

// Allows reports whether a datagram to group from source is for the socket. all is IP_MULTICAST_ALL: the answer for a group that the
// socket has not joined. Of several memberships, of one group on several interfaces, one that allows the datagram is enough.
func (g *Groups) Allows(group, source netip.Addr, all bool) bool {
	allowed := all
	for _, m := range g.list() {
		if m.group != group {
			continue
		}
		if slices.Contains(m.sources, source) == m.include {
			return true
		}
		allowed = false
	}
	return allowed
}

func (g *Groups) list() []membership {
	if l := g.joined.Load(); l != nil {
		return *l
	}
	return nil
}

// Join makes the stack a member of a group on the interface with the address iface; an invalid iface lets the
// route to the group choose. Errors: EINVAL, EADDRINUSE, ENODEV, EBADF after Close.
func (g *Groups) Join(stack *ip.Stack, group, iface netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.join(stack, membership{group: group, iface: normal(iface)})
}

func (g *Groups) join(stack *ip.Stack, m membership) error {
	switch {
	case g.closed:
		return syscall.EBADF
	case g.index(m.group, m.iface) >= 0:
		return syscall.EADDRINUSE
	}
	if err := stack.Join(m.group, m.iface); err != nil {
		return err
	}
	g.store(append(slices.Clone(g.list()), m))
	return nil
}

// Leave undoes Join. The error is EADDRNOTAVAIL without one.
func (g *Groups) Leave(stack *ip.Stack, group, iface netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.index(group, iface)
	if i < 0 {
		return syscall.EADDRNOTAVAIL
	}
	return g.leave(stack, i)
}

func (g *Groups) leave(stack *ip.Stack, i int) error {
	m := g.list()[i]
	g.store(slices.Delete(slices.Clone(g.list()), i, i+1))
	return stack.Leave(m.group, m.iface)
}

func (g *Groups) index(group, iface netip.Addr) int {
	return slices.IndexFunc(g.list(), func(m membership) bool { return m.is(group, iface) })
}

func (g *Groups) store(list []membership) { g.joined.Store(&list) }

// Close leaves all groups.
func (g *Groups) Close(stack *ip.Stack) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, m := range g.list() {
		_ = stack.Leave(m.group, m.iface) // an interface that has gone has no members left
	}
	g.store(nil)
}
