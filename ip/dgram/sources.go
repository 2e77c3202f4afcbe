package dgram

import (
	"net/netip"
	"slices"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/membership"
)

// Source is a source of a group on an interface, the argument of the socket options for source filters.
type Source struct {
	Group     netip.Addr
	Interface *ip.Interface // nil: no interface was found
	Addr      netip.Addr
}

// scoped is s with addresses as datagrams have them: of IPv6 only a link-local source has a zone, that of the interface.
func (s Source) scoped() Source {
	s.Group, s.Addr = s.Group.WithZone(""), s.Addr.WithZone("")
	if s.Interface != nil {
		s.Addr = s.Interface.Scoped(s.Addr)
	}
	return s
}

// AddSource adds a source to the group and joins the group if necessary (IP_ADD_SOURCE_MEMBERSHIP). Errors: EADDRNOTAVAIL for a
// source that it already has, EINVAL when the socket receives all sources except blocked ones, ENOBUFS, and those of Join.
func (g *Groups) AddSource(s Source) error {
	s = s.scoped()
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.join(s.Group, s.Interface, membership.NewFilter(false, []netip.Addr{s.Addr}))
	if err != syscall.EADDRINUSE {
		return err
	}
	return g.change(s, true, true)
}

// DropSource undoes AddSource, and leaves the group when it removes the last source (IP_DROP_SOURCE_MEMBERSHIP). Errors: EADDRNOTAVAIL, EINVAL.
func (g *Groups) DropSource(s Source) error {
	s = s.scoped()
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := g.index(s.Group, s.Interface); at >= 0 {
		if m := g.list()[at]; !m.Exclude && len(m.Sources) == 1 && m.Sources[0] == s.Addr {
			g.leave(at)
			return nil
		}
	}
	return g.change(s, true, false)
}

// Block excludes a source from the group (IP_BLOCK_SOURCE). Errors: EADDRNOTAVAIL for a source that is blocked already, EINVAL when
// the group is not joined, or joined for listed sources only, ENODEV, ENOBUFS.
func (g *Groups) Block(s Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.change(s.scoped(), false, true)
}

// Unblock undoes Block (IP_UNBLOCK_SOURCE). Errors: EADDRNOTAVAIL, EINVAL.
func (g *Groups) Unblock(s Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.change(s.scoped(), false, false)
}

// change adds a source to the filter of a group or removes it. The filter's mode must be include; a filter without sources takes that
// mode, as on Linux.
func (g *Groups) change(s Source, include, add bool) error {
	at, err := g.find(s)
	switch {
	case err != nil:
		return err
	case at < 0:
		return syscall.EINVAL
	}
	m := g.list()[at]
	has := slices.Contains(m.Sources, s.Addr)
	switch {
	case m.Exclude == include && len(m.Sources) > 0:
		return syscall.EINVAL
	case has == add:
		return syscall.EADDRNOTAVAIL
	case add && len(m.Sources) >= sourceLimit(s.Group):
		return syscall.ENOBUFS
	}
	sources := append(slices.Clone(m.Sources), s.Addr)
	if !add {
		sources = slices.DeleteFunc(sources, func(a netip.Addr) bool { return a == s.Addr })
	}
	return g.setFilter(at, membership.NewFilter(!include, sources))
}

func (g *Groups) setFilter(at int, f membership.Filter) error {
	list := slices.Clone(g.list())
	if err := list[at].member.SetFilter(f); err != nil {
		return err
	}
	list[at].Filter = f
	g.store(list)
	return nil
}

// SetFilter replaces the filter of a group that the socket has joined; a filter that receives nothing leaves the group (IP_MSFILTER). s
// names the group. Errors: EINVAL when the group is not joined, EADDRNOTAVAIL when it is not joined and the filter receives nothing, ENODEV,
// ENOBUFS, and those of ip.Member.SetFilter.
func (g *Groups) SetFilter(s Source, exclude bool, sources []netip.Addr) error {
	s = s.scoped()
	for i, a := range sources {
		sources[i] = Source{Interface: s.Interface, Addr: a}.scoped().Addr
	}
	f := membership.NewFilter(exclude, sources)
	g.mu.Lock()
	defer g.mu.Unlock()
	at, err := g.find(s)
	switch {
	case err != nil:
		return err
	case len(f.Sources) > sourceLimit(s.Group):
		return syscall.ENOBUFS
	case at < 0 && !f.Receives():
		return syscall.EADDRNOTAVAIL
	case at < 0:
		return syscall.EINVAL
	case !f.Receives():
		g.leave(at)
		return nil
	}
	return g.setFilter(at, f)
}

// Filter returns the filter of a group that the socket has joined. Errors: EADDRNOTAVAIL when it has not, EINVAL, ENODEV.
func (g *Groups) Filter(s Source) (membership.Filter, error) {
	s = s.scoped()
	g.mu.Lock()
	defer g.mu.Unlock()
	at, err := g.find(s)
	switch {
	case err != nil:
		return membership.Filter{}, err
	case at < 0:
		return membership.Filter{}, syscall.EADDRNOTAVAIL
	}
	return g.list()[at].Filter, nil
}

// find returns the index of a membership; below 0: there is none. Errors: EINVAL for an address that is not a group's, ENODEV without an
// interface.
func (g *Groups) find(s Source) (int, error) {
	switch {
	case !s.Group.IsMulticast():
		return 0, syscall.EINVAL
	case s.Interface == nil:
		return 0, syscall.ENODEV
	}
	return g.index(s.Group, s.Interface), nil
}

func sourceLimit(group netip.Addr) int {
	if group.Is4() {
		return maxSources
	}
	return maxSources6
}
