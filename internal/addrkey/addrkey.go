// Package addrkey stores an address of either family, with its zone, in 16 bytes.
package addrkey

import (
	"encoding/binary"
	"net/netip"
	"sync"
)

// Key is an address of either family: IPv4 in the form of an IPv4-mapped IPv6 address, and a link-local IPv6 address with the number of
// its zone in the bytes 2 and 3, which are zero in the address. It is comparable.
type Key [16]byte

// Of returns the Key of an address. A zone that AddZone does not know counts as none, and so does the zone of an address that is not link-local.
func Of(a netip.Addr) Key {
	k := Key(a.As16())
	if k.IsLinkLocal() {
		k.addZone(a)
	}
	return k
}

func (k *Key) addZone(a netip.Addr) { binary.BigEndian.PutUint16(k[2:], zones.number(a.Zone())) }

// IsLinkLocal reports whether the address is an IPv6 unicast address of one link only.
func (k *Key) IsLinkLocal() bool { return k[0] == 0xfe && k[1]&0xc0 == 0x80 }

// mapped is the prefix of IPv4-mapped addresses (RFC 4291 section 2.5.5.2).
var mapped = [12]byte{10: 0xff, 11: 0xff}

// IsIPv4 reports whether the address is of IPv4.
func (k *Key) IsIPv4() bool { return [12]byte(k[:12]) == mapped }

// Addr undoes Of.
func (k Key) Addr() netip.Addr {
	if !k.IsLinkLocal() {
		return netip.AddrFrom16(k).Unmap()
	}
	zone := zones.name(binary.BigEndian.Uint16(k[2:]))
	k[2], k[3] = 0, 0
	return netip.AddrFrom16(k).WithZone(zone)
}

// AddZone gives a zone, the name of an interface, a number, which it keeps as long as the process runs; false if there are too many names.
func AddZone(name string) bool { return zones.add(name) }

// zones numbers the names of interfaces, in all stacks of the process: a Key has no room for a name.
var zones zoneNumbers

type zoneNumbers struct {
	mu      sync.RWMutex
	numbers map[string]uint16 // from 1
	names   []string
}

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
