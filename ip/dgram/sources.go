package dgram

import (
	"net/netip"
	"slices"
	"syscall"

	"tunstack/ip"
)

// Source is a source of a group on an interface, the argument of the socket options for source filters.
type Source struct{ Group, Interface, Addr netip.Addr }

// AddSource adds a source to the group and joins the group if necessary (IP_ADD_SOURCE_MEMBERSHIP). Errors: EADDRNOTAVAIL for a
// source that it already has, EINVAL when the socket receives all sources except blocked ones, and those of Join.
func (g *Groups) AddSource(stack *ip.Stack, s Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.join(stack, membership{group: s.Group, iface: normal(s.Interface), include: true})
	if err != nil && err != syscall.EADDRINUSE {
		return err
	}
	return g.change(s, true, true)
}

// DropSource undoes AddSource, and leaves the group when it removes the last source (IP_DROP_SOURCE_MEMBERSHIP). Errors: EADDRNOTAVAIL, EINVAL.
func (g *Groups) DropSource(stack *ip.Stack, s Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := g.index(s.Group, s.Interface); i >= 0 {
		if m := g.list()[i]; m.include && len(m.sources) == 1 && m.sources[0] == s.Addr {
			return g.leave(stack, i)
		}
	}
	return g.change(s, true, false)
}

// Block excludes a source from the group (IP_BLOCK_SOURCE). Errors: EADDRNOTAVAIL for a source that is blocked already, EINVAL when
// the group is not joined, or joined for listed sources only.
func (g *Groups) Block(s Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.change(s, false, true)
}

// Unblock undoes Block (IP_UNBLOCK_SOURCE). Errors: EADDRNOTAVAIL, EINVAL.
func (g *Groups) Unblock(s Source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.change(s, false, false)
}

// change adds a source to the filter of a group or removes it. The filter's mode must be include; a filter without sources takes that
// mode, as on Linux.
func (g *Groups) change(s Source, include, add bool) error {
	i := g.index(s.Group, s.Interface)
	if i < 0 {
		return syscall.EINVAL
	}
	list := slices.Clone(g.list())
	m := &list[i]
	at := slices.Index(m.sources, s.Addr)
	switch {
	case m.include != include && len(m.sources) > 0:
		return syscall.EINVAL
	case (at >= 0) == add:
		return syscall.EADDRNOTAVAIL
	}
	m.include, m.sources = include, slices.Clone(m.sources)
	if add {
		m.sources = append(m.sources, s.Addr)
	} else {
		m.sources = slices.Delete(m.sources, at, at+1)
	}
	g.store(list)
	return nil
}
