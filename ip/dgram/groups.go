package dgram

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"tunstack/ip"
)

// Groups are the multicast groups that a socket has joined. The zero value is ready for use; it is safe for concurrent use.
//
// Like Linux's, a socket receives what comes for any group that the stack has joined, unless it is bound to one.
type Groups struct {
	mu     sync.Mutex
	joined []membership
	closed bool
}

// membership is a group and the interface as the socket named it.
type membership struct{ group, iface netip.Addr }

func newMembership(group, iface netip.Addr) membership {
	if iface.IsUnspecified() {
		iface = netip.Addr{}
	}
	return membership{group, iface}
}

// Join makes the stack a member of a group on the interface with the address iface; an invalid iface lets the
// route to the group choose. Errors: EINVAL, EADDRINUSE, ENODEV, EBADF after Close.
func (g *Groups) Join(stack *ip.Stack, group, iface netip.Addr) error {
	m := newMembership(group, iface)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return syscall.EBADF
	case slices.Contains(g.joined, m):
		return syscall.EADDRINUSE
	}
	if err := stack.Join(m.group, m.iface); err != nil {
		return err
	}
	g.joined = append(g.joined, m)
	return nil
}

// Leave undoes Join. The error is EADDRNOTAVAIL without one.
func (g *Groups) Leave(stack *ip.Stack, group, iface netip.Addr) error {
	m := newMembership(group, iface)
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.joined, m)
	if i < 0 {
		return syscall.EADDRNOTAVAIL
	}
	g.joined = slices.Delete(g.joined, i, i+1)
	return stack.Leave(m.group, m.iface)
}

// Close leaves all groups.
func (g *Groups) Close(stack *ip.Stack) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, m := range g.joined {
		_ = stack.Leave(m.group, m.iface) // an interface that has gone has no members left
	}
	g.joined = nil
}
