package ipv4

import (
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// Interface is one attachment of a Stack to a link.
type Interface struct {
	stack    *Stack
	name     string
	link     Link
	mtu      int
	features packet.Features
	loopback bool
	groups   atomic.Pointer[map[netip.Addr]int] // members per joined multicast group

	inPackets, inOctets, outPackets, outOctets stats.Counter
}

// InterfaceInfo is one row of ifconfig.
type InterfaceInfo struct {
	Name       string         `json:"name"`
	Addresses  []netip.Prefix `json:"addresses"`
	Groups     []netip.Addr   `json:"groups"` // multicast groups with members here
	MTU        int            `json:"mtu"`
	Loopback   bool           `json:"loopback"`
	InPackets  uint64         `json:"in_packets"`
	InOctets   uint64         `json:"in_octets"` // IP headers included, link headers not
	OutPackets uint64         `json:"out_packets"`
	OutOctets  uint64         `json:"out_octets"`
}

// AllHosts is the multicast group that every host is in (RFC 1112 section 4).
var AllHosts = netip.AddrFrom4([4]byte{224, 0, 0, 1})

// AddInterface attaches a link, whose MTU and Features are read now and must not change. Errors: EEXIST for a name in use,
// EINVAL for an MTU below 68 octets (RFC 791 section 3.2).
func (s *Stack) AddInterface(name string, l Link) (*Interface, error) {
	return s.addInterface(name, l, false)
}

// AddLoopback attaches the link back to this host: it gets 127.0.0.1/8, and everything sent to an own address goes
// through it. The link calls Input on a goroutine of its own. Errors as of AddInterface.
func (s *Stack) AddLoopback(name string, l Link) (*Interface, error) {
	i, err := s.addInterface(name, l, true)
	if err != nil {
		return nil, err
	}
	return i, i.AddAddress(netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8))
}

func (s *Stack) addInterface(name string, l Link, loopback bool) (*Interface, error) {
	i := &Interface{stack: s, name: name, link: l, mtu: min(l.MTU(), MaxDatagram), features: l.Features(), loopback: loopback}
	if i.mtu < minMTU {
		return nil, syscall.EINVAL
	}
	i.groups.Store(&map[netip.Addr]int{})
	return i, s.changeTable(func(t *table) error {
		if t.byName(i.name) != nil {
			return syscall.EEXIST
		}
		t.interfaces = append(t.interfaces, i)
		if i.loopback && t.loopback == nil {
			t.loopback = i
		}
		return nil
	})
}

// Name is the name given to AddInterface.
func (i *Interface) Name() string { return i.name }

// MTU is the largest datagram in octets that the link carries.
func (i *Interface) MTU() int { return i.mtu }

// Loopback says whether the link leads back to this host.
func (i *Interface) Loopback() bool { return i.loopback }

// AddAddress gives the interface an address; the connected network becomes a route. Errors: EINVAL for an address that
// no host may have, EEXIST for one the stack has already.
func (i *Interface) AddAddress(a netip.Prefix) error {
	if !a.IsValid() || !a.Addr().Is4() || !isHost(a.Addr().As4()) {
		return syscall.EINVAL
	}
	return i.stack.changeTable(func(t *table) error {
		if _, taken := t.local[a.Addr().As4()]; taken {
			return syscall.EEXIST
		}
		t.addresses = append(t.addresses, address{a, i})
		if a.Bits() < 32 && !t.hasRoute(a.Masked(), netip.Addr{}, i) {
			t.addRoute(routeEntry{prefix: a.Masked(), out: i, src: a.Addr()})
		}
		return nil
	})
}

// IsHost says whether a can be the address of a host on the interface's link (link.Handler): it is neither of a class that no
// host has nor a broadcast address of a connected network.
func (i *Interface) IsHost(a netip.Addr) bool {
	return a.Is4() && isHost(a.As4()) && !a.IsLoopback() && i.stack.CastOf(a) == packet.Unicast
}

// Addresses lists the interface's addresses in the order they were added.
func (i *Interface) Addresses() []netip.Prefix {
	var list []netip.Prefix
	for _, a := range i.stack.table.Load().addresses {
		if a.owner == i {
			list = append(list, a.prefix)
		}
	}
	return list
}

// Joined says whether a multicast group has a member on the interface.
func (i *Interface) Joined(group netip.Addr) bool {
	return group == AllHosts || (*i.groups.Load())[group] > 0
}

// Join adds a member to a multicast group on the interface with the address iface; an invalid or unspecified one
// lets the route to the group choose. Errors: EINVAL for what is no group, ENODEV without such an interface.
func (s *Stack) Join(group, iface netip.Addr) error { return s.changeMembers(group, iface, 1) }

// Leave undoes Join. It also returns EADDRNOTAVAIL where there is no member.
func (s *Stack) Leave(group, iface netip.Addr) error { return s.changeMembers(group, iface, -1) }

func (s *Stack) changeMembers(group, iface netip.Addr, change int) error {
	if !group.Is4() || !group.IsMulticast() {
		return syscall.EINVAL
	}
	i := s.table.Load().groupInterface(group.As4(), iface)
	if i == nil {
		return syscall.ENODEV
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := maps.Clone(*i.groups.Load())
	if groups[group]+change < 0 {
		return syscall.EADDRNOTAVAIL
	}
	if groups[group] += change; groups[group] == 0 {
		delete(groups, group)
	}
	i.groups.Store(&groups)
	if f, ok := i.link.(MulticastFilter); ok && change > 0 {
		f.Join(group)
	} else if ok {
		f.Leave(group)
	}
	return nil
}

// Interfaces lists the interfaces for ifconfig.
func (s *Stack) Interfaces() []InterfaceInfo {
	var list []InterfaceInfo
	for _, i := range s.table.Load().interfaces {
		info := InterfaceInfo{
			Name: i.name, Addresses: i.Addresses(), Groups: []netip.Addr{AllHosts}, MTU: i.mtu, Loopback: i.loopback,
			InPackets: i.inPackets.Value(), InOctets: i.inOctets.Value(),
			OutPackets: i.outPackets.Value(), OutOctets: i.outOctets.Value(),
		}
		for g := range *i.groups.Load() {
			info.Groups = append(info.Groups, g)
		}
		slices.SortFunc(info.Groups, netip.Addr.Compare)
		list = append(list, info)
	}
	return list
}
