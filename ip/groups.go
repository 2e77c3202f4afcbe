package ip

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/ip/membership"
)

// groups are the multicast groups of an interface.
type groups struct {
	published sync.RWMutex                     // guards filters, which packets read while mu is held for longer
	filters   map[netip.Addr]membership.Filter // of the groups with members

	mu        sync.Mutex
	members   map[netip.Addr][]*Member
	addresses map[netip.Addr][]*Member   // in the groups that the interface's addresses bring
	reporters [len(families{})]*reporter // nil: the groups are not reported
}

// Member is a membership in a multicast group on an interface, which a socket has, an address, or a router. All methods are
// safe for concurrent use.
type Member struct {
	i      *Interface
	group  netip.Addr
	filter membership.Filter
}

func (g *groups) init(i *Interface) {
	g.filters = make(map[netip.Addr]membership.Filter)
	g.members, g.addresses = make(map[netip.Addr][]*Member), make(map[netip.Addr][]*Member)
	for n, f := range i.families {
		if f != nil && !i.loopback {
			g.reporters[n] = newReporter(i, f)
		}
	}
}

// joinAllHosts makes the link receive each family's group of all hosts, to which every interface belongs permanently (RFC 1112
// section 4), and joins a router's groups.
func (i *Interface) joinAllHosts() {
	filter, ok := i.link.(MulticastFilter)
	for _, f := range i.families {
		if ok && f != nil {
			filter.Join(f.AllHosts())
		}
		if f == nil || !i.stack.cfg.Forwarding {
			continue
		}
		for _, g := range f.AllRouters() {
			_, _ = i.Join(g, membership.All)
		}
	}
}

// Join adds a member to a multicast group; of several members each receives the sources that its own filter allows, and the
// interface those of all (RFC 9776 section 3.2). The error is EINVAL for an address that is not a group's, and for a group of source-specific
// multicast unless f lists its sources.
func (i *Interface) Join(group netip.Addr, f membership.Filter) (*Member, error) {
	group = group.WithZone("")
	if !group.IsMulticast() || i.families[index(group)] == nil {
		return nil, syscall.EINVAL
	}
	if err := i.stack.checkFilter(group, f); err != nil {
		return nil, err
	}
	m := &Member{i: i, group: group}
	g := &i.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members[group] = append(g.members[group], m)
	if link, ok := i.link.(MulticastFilter); ok && len(g.members[group]) == 1 {
		link.Join(group)
	}
	m.set(f)
	return m, nil
}

// SetFilter changes the sources that the member receives. The error is EINVAL for a group of source-specific multicast unless f lists its
// sources.
func (m *Member) SetFilter(f membership.Filter) error {
	if err := m.i.stack.checkFilter(m.group, f); err != nil {
		return err
	}
	m.i.groups.mu.Lock()
	defer m.i.groups.mu.Unlock()
	m.set(f)
	return nil
}

func (m *Member) set(f membership.Filter) {
	m.filter = f
	m.i.groups.changed(m.group)
}

// Leave ends the membership. It is called once.
func (m *Member) Leave() {
	g := &m.i.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members[m.group] = slices.DeleteFunc(g.members[m.group], func(other *Member) bool { return other == m })
	if len(g.members[m.group]) == 0 {
		delete(g.members, m.group)
		if link, ok := m.i.link.(MulticastFilter); ok {
			link.Leave(m.group)
		}
	}
	g.changed(m.group)
}

// changed publishes and reports the filter that a group's members have together.
func (g *groups) changed(group netip.Addr) {
	var list []membership.Filter
	for _, m := range g.members[group] {
		list = append(list, m.filter)
	}
	merged := membership.Merge(list)
	g.published.Lock()
	if g.filters[group] = merged; len(list) == 0 {
		delete(g.filters, group)
	}
	g.published.Unlock()
	if r := g.reporters[index(group)]; r != nil {
		r.set(group, merged)
	}
}

// filter is the published filter of a group; false if the group has no member.
func (g *groups) filter(group netip.Addr) (f membership.Filter, joined bool) {
	g.published.RLock()
	defer g.published.RUnlock()
	f, joined = g.filters[group]
	return f, joined
}

// Joined reports whether a multicast group has a member on the interface.
func (i *Interface) Joined(group netip.Addr) bool {
	_, joined := i.groups.filter(group)
	return joined || group == i.stack.FamilyOf(group).AllHosts()
}

// Accepts reports whether a member receives datagrams to the group from the source.
func (i *Interface) Accepts(group, source netip.Addr) bool {
	f, joined := i.groups.filter(group)
	return joined && f.Allows(source) || group == i.stack.FamilyOf(group).AllHosts()
}

// Filters reports whether a whole datagram, which starts at its IP header, is from a source that no member of its group receives, and counts
// it then.
func (s *Stack) Filters(d *Datagram, p *packet.Buffer) bool {
	return d.Cast == packet.Multicast && s.filters(d, p)
}

func (s *Stack) filters(d *Datagram, p *packet.Buffer) bool {
	if d.In.Accepts(d.Dst, d.Src) || aboutGroups(d, p) {
		return false
	}
	s.stats.DropFiltered.Inc()
	return true
}

// aboutGroups reports whether a datagram is a message of IGMP or MLD. The filters of the members do not concern it: its sender is a querier
// or another member, and not a source of the group.
func aboutGroups(d *Datagram, p *packet.Buffer) bool {
	switch d.Protocol {
	case ProtocolIGMP:
		return true
	case ProtocolICMPv6:
		b := p.Bytes()[d.HeaderLen:]
		return len(b) > 0 && IsMLD(b[0])
	}
	return false
}

// IsMLD reports whether ICMPv6 messages of a type belong to MLD (RFC 2710 section 3, RFC 3810 section 5).
func IsMLD(typ byte) bool {
	const query, done, reportV2 = 130, 132, 143
	return typ >= query && typ <= done || typ == reportV2
}

// joined lists the groups, of which those of all hosts have the interface as a member.
func (i *Interface) joined() []GroupInfo {
	g := &i.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	g.published.RLock()
	filters := maps.Clone(g.filters)
	g.published.RUnlock()
	members := make(map[netip.Addr]int)
	for group, list := range g.members {
		members[group] = len(list)
	}
	for _, f := range i.families {
		if f != nil {
			filters[f.AllHosts()] = membership.All
			members[f.AllHosts()]++
		}
	}
	list := []GroupInfo{}
	for group, f := range filters {
		list = append(list, GroupInfo{group, members[group], f.Exclude, append([]netip.Addr{}, f.Sources...)})
	}
	slices.SortFunc(list, func(a, b GroupInfo) int { return a.Group.Compare(b.Group) })
	return list
}

// joinAddressGroups joins the groups that an address of the interface brings: its own, and on a router that of the anycast address of its
// network.
func (i *Interface) joinAddressGroups(own netip.Prefix) {
	f := i.stack.FamilyOf(own.Addr())
	var joined []*Member
	for _, a := range []netip.Addr{own.Addr(), i.stack.routerAnycast(own)} {
		if !a.IsValid() || !f.AddressGroup(a).IsValid() {
			continue
		}
		m, _ := i.Join(f.AddressGroup(a), membership.All) // Join accepts every group of a family that the interface has
		joined = append(joined, m)
	}
	i.groups.mu.Lock()
	defer i.groups.mu.Unlock()
	i.groups.addresses[own.Addr()] = joined
}

// leaveAddressGroups undoes joinAddressGroups.
func (i *Interface) leaveAddressGroups(a netip.Addr) {
	i.groups.mu.Lock()
	joined := i.groups.addresses[a]
	delete(i.groups.addresses, a)
	i.groups.mu.Unlock()
	for _, m := range joined {
		m.Leave()
	}
}

// GroupInterface returns the interface for a membership in a group: the one with the address own, or if own is invalid or unspecified the
// one by which the route to the group leaves. It returns nil if no interface has the address, or no route leads to the group.
func (s *Stack) GroupInterface(group, own netip.Addr) *Interface {
	return s.table.Load().groupInterface(group, own)
}
