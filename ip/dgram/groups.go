package dgram

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/membership"
)

// Bounds of a socket's memberships, with Linux's defaults: beyond them calls fail with ENOBUFS, for IPv6 groups with ENOMEM.
const (
	maxGroups   = 20   // igmp_max_memberships
	maxGroups6  = 1024 // Linux bounds their memory instead, by optmem_max
	maxSources  = 10   // of a group: igmp_max_msf
	maxSources6 = 64   // mld_max_msf
)

// Groups are the multicast groups that a socket has joined. The zero value is ready for use; it is safe for concurrent use.
//
// As on Linux, a socket receives the datagrams to every group that the stack has joined, unless it is bound to a group or
// IP_MULTICAST_ALL is off. The filter of a group that the socket itself has joined selects the sources.
type Groups struct {
	mu     sync.Mutex
	closed bool
	joined atomic.Pointer[[]joined] // never changed in place: packets read it without the lock
}

// joined is a group that a socket has joined on an interface, and the sources that it receives.
type joined struct {
	group netip.Addr
	iface *ip.Interface
	membership.Filter
	member *ip.Member
}

// Allows reports whether a datagram from source to group, which in has received, is for the socket. all is IP_MULTICAST_ALL: the
// answer for a group that the socket has not joined on in.
func (g *Groups) Allows(in *ip.Interface, group, source netip.Addr, all bool) bool {
	list := g.list()
	for i := range list {
		if m := &list[i]; m.group == group && m.iface == in {
			return m.Allows(source)
		}
	}
	return all
}

func (g *Groups) list() []joined {
	if l := g.joined.Load(); l != nil {
		return *l
	}
	return nil
}

// Join makes the stack a member of a group on an interface. Errors: EINVAL for an address that is not a group's, ENODEV for a
// nil interface, EADDRINUSE, ENOBUFS, ENOMEM, EBADF after Close.
func (g *Groups) Join(group netip.Addr, i *ip.Interface) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.join(group.WithZone(""), i, membership.All)
}

func (g *Groups) join(group netip.Addr, i *ip.Interface, f membership.Filter) error {
	switch {
	case g.closed:
		return syscall.EBADF
	case !group.IsMulticast():
		return syscall.EINVAL
	case i == nil:
		return syscall.ENODEV
	case g.index(group, i) >= 0:
		return syscall.EADDRINUSE
	}
	if err := g.room(group); err != nil {
		return err
	}
	m, err := i.Join(group, f)
	if err != nil {
		return err
	}
	g.store(append(slices.Clone(g.list()), joined{group, i, f, m}))
	return nil
}

// room checks the bound of the groups of one family.
func (g *Groups) room(group netip.Addr) error {
	n := 0
	for _, m := range g.list() {
		if m.group.Is4() == group.Is4() {
			n++
		}
	}
	switch {
	case group.Is4() && n >= maxGroups:
		return syscall.ENOBUFS
	case n >= maxGroups6:
		return syscall.ENOMEM
	}
	return nil
}

// Leave undoes Join. The error is EADDRNOTAVAIL without a membership.
func (g *Groups) Leave(group netip.Addr, i *ip.Interface) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.index(group.WithZone(""), i)
	if at < 0 {
		return syscall.EADDRNOTAVAIL
	}
	g.leave(at)
	return nil
}

func (g *Groups) leave(at int) {
	list := slices.Clone(g.list())
	list[at].member.Leave()
	g.store(slices.Delete(list, at, at+1))
}

func (g *Groups) index(group netip.Addr, i *ip.Interface) int {
	return slices.IndexFunc(g.list(), func(m joined) bool { return m.group == group && m.iface == i })
}

// InterfaceOf returns the first interface on which the socket has joined a group, or nil if the socket is not in the group.
func (g *Groups) InterfaceOf(group netip.Addr) *ip.Interface {
	for _, m := range g.list() {
		if m.group == group {
			return m.iface
		}
	}
	return nil
}

func (g *Groups) store(list []joined) { g.joined.Store(&list) }

// Close leaves all groups.
func (g *Groups) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, m := range g.list() {
		m.member.Leave()
	}
	g.store(nil)
}
