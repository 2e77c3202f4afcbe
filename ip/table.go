package ip

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"tunstack/internal/addrkey"
	"tunstack/internal/packet"
)

// table is the state that decides where a datagram goes: interfaces, addresses, routes. A published table never changes, so the
// packet path reads it without a lock; a change publishes a new table.
type table struct {
	interfaces []*Interface
	loopback   *Interface
	addresses  []address
	tentative  []address                 // not in use until the link has claimed them
	routes     *bart.Table[[]routeEntry] // of both families; the entries of a prefix by metric, lowest first
	gateways   *bart.Table[int]          // how many routes lead over each gateway, without zones

	local   map[addrkey.Key]*Interface // the stack's own addresses
	classes classes                    // of the stack's own addresses and the directed broadcasts of the connected networks
}

// classes are the addresses that the stack treats specially. A short list is compared one by one, because that is faster than
// hashing.
type classes struct {
	few  []classed
	many map[addrkey.Key]Class // used instead if there are more than maxFew
}

type classed struct {
	addr  netip.Addr
	class Class
}

const maxFew = 8

func (c *classes) of(a netip.Addr) Class {
	if c.many != nil {
		return c.many[addrkey.Of(a)]
	}
	for i := range c.few {
		if c.few[i].addr == a {
			return c.few[i].class
		}
	}
	return Class{}
}

// indexed returns the classes of a list, in which a later entry replaces an earlier one.
func indexed(list []classed) (c classes) {
	many := make(map[addrkey.Key]Class)
	for _, e := range list {
		many[addrkey.Of(e.addr)] = e.class
	}
	if len(many) > maxFew {
		return classes{many: many}
	}
	for k, class := range many {
		c.few = append(c.few, classed{k.Addr(), class})
	}
	return c
}

// Class is the role of an address for this stack.
type Class struct {
	Form    Form
	Cast    packet.Cast
	Local   bool // one of the stack's own
	Anycast bool // one of the stack's own that other hosts have too: it is never a source
}

func newTable() *table {
	return &table{
		routes: new(bart.Table[[]routeEntry]), gateways: new(bart.Table[int]), local: make(map[addrkey.Key]*Interface),
	}
}

// changeTable publishes a changed copy of the table, unless change returns an error, and starts a new generation of Routes.
func (s *Stack) changeTable(change func(*table) error) error {
	err := s.publish(change)
	if err == nil {
		s.generation.Add(1)
	}
	return err
}

// publish is changeTable for changes that no Route depends on.
func (s *Stack) publish(change func(*table) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.table.Load()
	t := &table{
		interfaces: slices.Clone(old.interfaces), loopback: old.loopback,
		addresses: slices.Clone(old.addresses), tentative: slices.Clone(old.tentative),
		routes: old.routes, gateways: old.gateways, // cloned on write
		local: old.local, classes: old.classes,
	}
	if err := change(t); err != nil {
		return err
	}
	if !slices.EqualFunc(t.addresses, old.addresses, address.equal) {
		t.index(s)
	}
	s.table.Store(t)
	return nil
}

// index builds the maps from the addresses.
func (t *table) index(s *Stack) {
	t.local = make(map[addrkey.Key]*Interface)
	var own, broadcasts []classed
	for _, a := range t.addresses {
		t.local[addrkey.Of(a.addr())] = a.owner
		own = append(own, classed{a.addr(), Class{Local: true}})
		f := s.FamilyOf(a.prefix.Addr())
		if b := f.Broadcast(a.prefix); b.IsValid() {
			broadcasts = append(broadcasts, classed{b, Class{Cast: packet.Broadcast}})
		}
		if c := s.routerAnycast(a.prefix); c.IsValid() {
			broadcasts = append(broadcasts, classed{a.owner.Scoped(c), Class{Local: true, Anycast: true}})
		}
	}
	t.classes = indexed(append(broadcasts, own...))
}

// routerAnycast is the anycast address that the stack has as a router in a network; the zero Addr if there is none.
func (s *Stack) routerAnycast(network netip.Prefix) netip.Addr {
	if !s.cfg.Forwarding {
		return netip.Addr{}
	}
	return s.FamilyOf(network.Addr()).RouterAnycast(network)
}

// Class classifies an address. An address of a family that the stack does not have is invalid.
func (s *Stack) Class(a netip.Addr) Class { return s.classIn(s.table.Load(), a) }

func (s *Stack) classIn(t *table, a netip.Addr) Class {
	form := FormOf(a)
	if s.families[index(a)] == nil {
		return Class{}
	}
	switch form {
	case FormHost:
		c := t.classes.of(a)
		c.Form = form
		return c
	case FormMulticast:
		return Class{Form: form, Cast: packet.Multicast}
	case FormBroadcast:
		return Class{Form: form, Cast: packet.Broadcast}
	case FormLoopback: // all of 127/8 is ours
		return Class{Form: form, Local: t.loopback != nil}
	}
	return Class{Form: form}
}

// IsLocal reports whether a is one of the stack's unicast addresses; all of 127/8 is, if there is a loopback interface.
func (s *Stack) IsLocal(a netip.Addr) bool { return s.Class(a).Local }

// CastOf classifies a destination address: Broadcast for limited and directed broadcasts of connected networks.
func (s *Stack) CastOf(a netip.Addr) packet.Cast { return s.Class(a).Cast }

// isUnicast reports whether a has the form of a single host's address (RFC 1122 section 3.2.1.3).
func (s *Stack) isUnicast(a netip.Addr) bool {
	form := FormOf(a)
	return s.FamilyOf(a) != nil && (form == FormHost || form == FormLoopback)
}

func (t *table) byName(name string) *Interface {
	for _, i := range t.interfaces {
		if i.name == name {
			return i
		}
	}
	return nil
}

// covers reports whether b is in the connected network: prefixes have no zones.
func (a *address) covers(b netip.Addr) bool {
	return !a.noPrefixRoute && a.prefix.Contains(b.WithZone("")) && (!IsLinkLocal6(b) || b.Zone() == a.owner.name)
}

// connected is the interface whose network contains a neighbour, or nil.
func (t *table) connected(a netip.Addr) *Interface {
	for _, own := range t.addresses {
		if own.covers(a) && own.prefix.Addr() != a.WithZone("") {
			return own.owner
		}
	}
	return nil
}

// OnLink reports whether the addresses are all in one of the networks that i is connected to.
func (i *Interface) OnLink(addrs ...netip.Addr) bool {
	for _, own := range i.stack.table.Load().addresses {
		outside := func(a netip.Addr) bool { return !own.covers(a) }
		if own.owner == i && !slices.ContainsFunc(addrs, outside) {
			return true
		}
	}
	return false
}

// groupInterface is the interface for a multicast or limited broadcast: the interface with address own if one is given, else
// the interface of the route, else the first that leaves the stack. nil: there is none.
func (t *table) groupInterface(dst, own netip.Addr) *Interface {
	if own.IsValid() && !own.IsUnspecified() {
		return t.owner(own)
	}
	if r := t.lookup(dst); r != nil {
		return r.out
	}
	for _, i := range t.interfaces {
		if !i.loopback {
			return i
		}
	}
	return t.loopback
}

// owner is the interface that has one of the stack's own addresses.
func (t *table) owner(a netip.Addr) *Interface {
	if a.IsLoopback() {
		return t.loopback
	}
	return t.local[addrkey.Of(a)]
}

// sourceFor selects the source address of datagrams that leave by out for nextHop: an address in the next hop's network, else
// the interface's first, else the stack's first; the zero Addr if there is none.
func (t *table) sourceFor(out *Interface, nextHop netip.Addr) netip.Addr {
	var onInterface, any netip.Addr
	for _, a := range t.addresses {
		switch {
		case a.prefix.Addr().Is4() != nextHop.Is4():
		case a.owner == out && a.prefix.Contains(nextHop):
			return a.prefix.Addr()
		case a.owner == out && !onInterface.IsValid():
			onInterface = a.prefix.Addr()
		case !a.owner.loopback && !any.IsValid():
			any = a.prefix.Addr()
		}
	}
	if onInterface.IsValid() {
		return onInterface
	}
	return any
}

// SourceFor selects the source address of datagrams that leave by out for nextHop; the zero Addr if there is none.
func (s *Stack) SourceFor(out *Interface, nextHop netip.Addr) netip.Addr {
	return s.table.Load().sourceFor(out, nextHop)
}
