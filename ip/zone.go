package ip

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"sync"
)

// An IPv6 link-local address belongs to one link: the same address on two links is two addresses (RFC 4007 section 6). Inside
// the stack each has the name of its interface as its zone; Interface.Scoped adds the zone to addresses from a wire.

// IsLinkLocal6 reports whether a is an IPv6 unicast address of one link only.
func IsLinkLocal6(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// Scoped returns an address of a received header with its zone.
func (i *Interface) Scoped(a netip.Addr) netip.Addr {
	if !IsLinkLocal6(a) {
		return a
	}
	if i.loopback {
		return i.stack.table.Load().ownScoped(a)
	}
	return a.WithZone(i.name)
}

// ownScoped returns an own link-local address with its zone. A datagram to ourselves names none: of two interfaces with the address
// the first is meant.
func (t *table) ownScoped(a netip.Addr) netip.Addr {
	for _, own := range t.addresses {
		if own.prefix.Addr() == a {
			return own.addr()
		}
	}
	return a
}

// ScopedBy returns dst as a route takes it, and the interface that its zone names: a link-local unicast address keeps a zone, the
// interface's name, and others lose theirs. A zone is a name or the number of an interface (RFC 4007 section 11.2). ok is false if
// there is no such interface.
func (s *Stack) ScopedBy(dst netip.Addr) (a netip.Addr, zone *Interface, ok bool) {
	text := dst.Zone()
	if text == "" {
		return dst, nil, true
	}
	t := s.table.Load()
	zone = t.byName(text)
	if n, err := strconv.Atoi(text); zone == nil && err == nil {
		zone = s.InterfaceAt(n)
	}
	switch {
	case zone == nil:
		return dst, nil, false
	case IsLinkLocal6(dst):
		return dst.WithZone(zone.name), zone, true
	}
	return dst.WithZone(""), zone, true
}

// onlyLink is the interface that a link-local address without a zone is of: the only one that leaves the stack; nil: there are none or
// several.
func (t *table) onlyLink() *Interface {
	var only *Interface
	for _, i := range t.interfaces {
		switch {
		case i.loopback:
		case only != nil:
			return nil
		default:
			only = i
		}
	}
	return only
}

// key is an address of either family as a key of maps: IPv4 in the form of an IPv4-mapped IPv6 address, and a link-local IPv6
// address with the number of its zone in the bytes 2 and 3, which are zero in the address.
type key [16]byte

func keyOf(a netip.Addr) key {
	k := key(a.As16())
	if k.isLinkLocal() {
		k.addZone(a)
	}
	return k
}

func (k *key) addZone(a netip.Addr) { binary.BigEndian.PutUint16(k[2:], zones.number(a.Zone())) }

func (k *key) isLinkLocal() bool { return k[0] == 0xfe && k[1]&0xc0 == 0x80 }

// addr undoes keyOf.
func (k key) addr() netip.Addr {
	if !k.isLinkLocal() {
		return netip.AddrFrom16(k).Unmap()
	}
	zone := zones.name(binary.BigEndian.Uint16(k[2:]))
	k[2], k[3] = 0, 0
	return netip.AddrFrom16(k).WithZone(zone)
}

// zones numbers the names of interfaces, in all stacks of the process: a key has no room for a name.
var zones zoneNumbers

type zoneNumbers struct {
	mu      sync.RWMutex
	numbers map[string]uint16 // from 1
	names   []string
}

// add gives a name a number; false if there are too many names.
func (z *zoneNumbers) add(name string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.numbers[name] != 0 {
		return true
	}
	if len(z.names) == 1<<16-1 {
		return false
	}
	if z.numbers == nil {
		z.numbers = make(map[string]uint16)
	}
	z.names = append(z.names, name)
	z.numbers[name] = uint16(len(z.names))
	return true
}

// number is the number of a name, 0 if no interface has had it.
func (z *zoneNumbers) number(name string) uint16 {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return z.numbers[name]
}

func (z *zoneNumbers) name(number uint16) string {
	z.mu.RLock()
	defer z.mu.RUnlock()
	if number == 0 || int(number) > len(z.names) {
		return ""
	}
	return z.names[number-1]
}
