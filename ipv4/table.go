package ipv4

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"

	"tunstack/internal/packet"
)

// table is all that decides where a datagram goes: interfaces, addresses, routes. It never changes once it is
// published, so the packet path reads it without a lock; a change publishes another one.
type table struct {
	interfaces []*Interface
	loopback   *Interface
	addresses  []address
	routes     []routeEntry // longest prefix first, then lowest metric

	local   map[[4]byte]*Interface // own addresses
	classes map[[4]byte]class      // of own addresses and the directed broadcasts of the connected networks
}

// class is what an address is to this host.
type class struct {
	cast  packet.Cast
	local bool // one of our own
}

type address struct {
	prefix netip.Prefix
	owner  *Interface
}

type routeEntry struct {
	prefix     netip.Prefix
	gateway    netip.Addr // zero: the network is connected
	out        *Interface
	src        netip.Addr // preferred source; zero: none
	metric     int
	redirected bool // learned from an ICMP Redirect
	failed     bool // the gateway did not answer

	network, mask uint32
}

var limitedBroadcast = [4]byte{255, 255, 255, 255}

// isHost says whether a has the form of a single host's address (RFC 1122 section 3.2.1.3).
func isHost(a [4]byte) bool { return a[0] != 0 && a[0] < 224 }

func isMulticast(a [4]byte) bool { return a[0]&0xf0 == 224 }

// changeTable publishes a changed copy of the table, unless change returns an error.
func (s *Stack) changeTable(change func(*table) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.table.Load()
	t := &table{
		interfaces: slices.Clone(old.interfaces), loopback: old.loopback,
		addresses: slices.Clone(old.addresses), routes: slices.Clone(old.routes),
		local: old.local, classes: old.classes,
	}
	if err := change(t); err != nil {
		return err
	}
	t.index()
	s.table.Store(t)
	s.generation.Add(1)
	return nil
}

func (t *table) index() {
	t.local, t.classes = make(map[[4]byte]*Interface), make(map[[4]byte]class)
	for _, a := range t.addresses {
		t.local[a.prefix.Addr().As4()] = a.owner
		if a.prefix.Bits() < 31 { // RFC 3021: a /31 has no broadcast
			t.classes[lastAddress(a.prefix)] = class{cast: packet.Broadcast}
		}
	}
	for a := range t.local {
		t.classes[a] = class{local: true}
	}
	for i := range t.routes {
		r := &t.routes[i]
		r.mask = ^uint32(0) << (32 - r.prefix.Bits())
		base := r.prefix.Addr().As4()
		r.network = binary.BigEndian.Uint32(base[:]) & r.mask
	}
	slices.SortStableFunc(t.routes, func(a, b routeEntry) int {
		return cmp.Or(cmp.Compare(b.prefix.Bits(), a.prefix.Bits()), cmp.Compare(a.metric, b.metric))
	})
}

func lastAddress(p netip.Prefix) [4]byte {
	a := p.Addr().As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])|^uint32(0)>>p.Bits())
	return a
}

func (t *table) addRoute(r routeEntry) { t.routes = append(t.routes, r) }

func (t *table) hasRoute(p netip.Prefix, gateway netip.Addr, out *Interface) bool {
	return slices.ContainsFunc(t.routes, func(r routeEntry) bool {
		return r.prefix == p && r.gateway == gateway && r.out == out
	})
}

func (t *table) byName(name string) *Interface {
	for _, i := range t.interfaces {
		if i.name == name {
			return i
		}
	}
	return nil
}

func (t *table) isLocal(a [4]byte) bool { return t.classOf(a).local }

func (t *table) castOf(a [4]byte) packet.Cast { return t.classOf(a).cast }

func (t *table) classOf(a [4]byte) class {
	switch {
	case isMulticast(a):
		return class{cast: packet.Multicast}
	case a == limitedBroadcast:
		return class{cast: packet.Broadcast}
	}
	c := t.classes[a]
	if a[0] == 127 {
		c.local = t.loopback != nil
	}
	return c
}

// lookup finds the route to a by longest prefix. Of several with one prefix the first whose gateway answers counts
// (RFC 1122 section 3.3.1.4), and when none does, the first.
func (t *table) lookup(a [4]byte) *routeEntry {
	dst := binary.BigEndian.Uint32(a[:])
	var first *routeEntry
	for i := range t.routes {
		r := &t.routes[i]
		switch {
		case dst&r.mask != r.network:
		case first != nil && r.mask != first.mask:
			return first
		case !r.failed:
			return r
		case first == nil:
			first = r
		}
	}
	return first
}

// connected is the interface whose network holds a neighbour, or nil.
func (t *table) connected(a netip.Addr) *Interface {
	for _, own := range t.addresses {
		if own.prefix.Contains(a) && own.prefix.Addr() != a {
			return own.owner
		}
	}
	return nil
}

// groupInterface is where a multicast or limited broadcast goes: the interface with address own if one is given, else
// that of the route, else the first that leaves the host. nil: there is none.
func (t *table) groupInterface(dst [4]byte, own netip.Addr) *Interface {
	if own.Is4() && !own.IsUnspecified() {
		return t.owner(own.As4())
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

func (t *table) owner(a [4]byte) *Interface {
	if a[0] == 127 {
		return t.loopback
	}
	return t.local[a]
}

// sourceFor selects the source address of datagrams that leave by out for nextHop: one of the next hop's network, else the
// interface's first, else the stack's first; the zero Addr if there is none.
func (t *table) sourceFor(out *Interface, nextHop netip.Addr) netip.Addr {
	var onInterface, any netip.Addr
	for _, a := range t.addresses {
		switch {
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

// RouteEntry is one row of the route table.
type RouteEntry struct {
	Prefix    netip.Prefix `json:"prefix"`
	Gateway   netip.Addr   `json:"gateway"`   // zero: the network is on the link
	Interface string       `json:"interface"` // for AddRoute with a Gateway it may be left empty
	Source    netip.Addr   `json:"source"`    // preferred source address; zero: by the rules of the stack
	Metric    int          `json:"metric"`    // of routes with one prefix the lowest counts whose gateway answers
	Redirect  bool         `json:"redirect"`  // listed only: learned from an ICMP Redirect
	Failed    bool         `json:"failed"`    // listed only: the gateway does not answer
}

// Routes lists the route table in the order it is searched.
func (s *Stack) Routes() []RouteEntry {
	var list []RouteEntry
	for _, r := range s.table.Load().routes {
		list = append(list, RouteEntry{
			Prefix: r.prefix, Gateway: r.gateway, Interface: r.out.name, Source: r.src,
			Metric: r.metric, Redirect: r.redirected, Failed: r.failed,
		})
	}
	return list
}

// AddRoute adds a route. Errors: EINVAL for a bad prefix or address, ENODEV for an unknown interface, ENETUNREACH for a
// gateway that is not on a connected network, EEXIST for a route that is there.
func (s *Stack) AddRoute(e RouteEntry) error {
	return s.changeTable(func(t *table) error {
		out, err := t.outOf(e)
		if err != nil {
			return err
		}
		if t.hasRoute(e.Prefix.Masked(), e.Gateway, out) {
			return syscall.EEXIST
		}
		t.addRoute(routeEntry{prefix: e.Prefix.Masked(), gateway: e.Gateway, out: out, src: e.Source, metric: e.Metric})
		return nil
	})
}

func (t *table) outOf(e RouteEntry) (*Interface, error) {
	if !e.Prefix.IsValid() || !e.Prefix.Addr().Is4() || e.Gateway.IsValid() && !e.Gateway.Is4() {
		return nil, syscall.EINVAL
	}
	if e.Source.IsValid() && !(e.Source.Is4() && t.local[e.Source.As4()] != nil) {
		return nil, syscall.EINVAL
	}
	out := t.byName(e.Interface)
	if !e.Gateway.IsValid() {
		if out == nil {
			return nil, syscall.ENODEV
		}
		return out, nil
	}
	via := t.connected(e.Gateway)
	switch {
	case e.Interface != "" && out == nil:
		return nil, syscall.ENODEV
	case via == nil || out != nil && via != out:
		return nil, syscall.ENETUNREACH
	}
	return via, nil
}

// DelRoute removes the routes with e's prefix; a Gateway or an Interface in e must match too. Errors: ESRCH when there is none.
func (s *Stack) DelRoute(e RouteEntry) error {
	return s.changeTable(func(t *table) error {
		n := len(t.routes)
		t.routes = slices.DeleteFunc(t.routes, func(r routeEntry) bool {
			return r.prefix == e.Prefix.Masked() && (!e.Gateway.IsValid() || r.gateway == e.Gateway) &&
				(e.Interface == "" || r.out.name == e.Interface)
		})
		if len(t.routes) == n {
			return syscall.ESRCH
		}
		return nil
	})
}
