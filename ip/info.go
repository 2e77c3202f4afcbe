package ip

import (
	"net/netip"
	"slices"
	"time"
)

// InterfaceInfo is one row of ifconfig.
type InterfaceInfo struct {
	Name       string        `json:"name"`
	Addresses  []AddressInfo `json:"addresses"` // the tentative ones last
	Groups     []GroupInfo   `json:"groups"`    // multicast groups with members here
	MTU        int           `json:"mtu"`
	Loopback   bool          `json:"loopback"`
	InPackets  uint64        `json:"in_packets"`
	InBytes    uint64        `json:"in_bytes"` // with IP headers, without link headers
	OutPackets uint64        `json:"out_packets"`
	OutBytes   uint64        `json:"out_bytes"`
}

// GroupInfo is a multicast group that an interface is in.
type GroupInfo struct {
	Group   netip.Addr   `json:"group"`
	Members int          `json:"members"` // sockets, addresses, and the interface itself
	Exclude bool         `json:"exclude"` // received from all but Sources; else from Sources only
	Sources []netip.Addr `json:"sources"`
}

// AddressInfo is an address of an interface with its state, in the words of `ip address`.
type AddressInfo struct {
	Prefix     netip.Prefix  `json:"prefix"`
	Tentative  bool          `json:"tentative"`  // not in use yet: another host may have it
	Deprecated bool          `json:"deprecated"` // not the source of new connections while there is another
	Temporary  bool          `json:"temporary"`  // made to be replaced soon (RFC 8981)
	Dynamic    bool          `json:"dynamic"`    // its valid lifetime ends
	Preferred  time.Duration `json:"preferred"`  // time left until it is deprecated; Forever
	Valid      time.Duration `json:"valid"`      // time left until it is removed; Forever
}

// Flags are the states of the address that are not the usual ones, in the words of `ip address`.
func (a AddressInfo) Flags() []string {
	var list []string
	for _, f := range []struct {
		set  bool
		name string
	}{{a.Tentative, "tentative"}, {a.Deprecated, "deprecated"}, {a.Temporary, "temporary"}, {a.Dynamic, "dynamic"}} {
		if f.set {
			list = append(list, f.name)
		}
	}
	return list
}

// Interfaces lists the interfaces for ifconfig.
func (s *Stack) Interfaces(now time.Duration) []InterfaceInfo {
	var list []InterfaceInfo
	for _, i := range s.table.Load().interfaces {
		info := InterfaceInfo{
			Name: i.name, Addresses: i.AddressInfos(now), Groups: i.joined(), MTU: i.mtu, Loopback: i.loopback,
			InPackets: i.inPackets.Value(), InBytes: i.inBytes.Value(),
			OutPackets: i.outPackets.Value(), OutBytes: i.outBytes.Value(),
		}
		list = append(list, info)
	}
	return list
}

// AddressInfos lists the interface's addresses, the tentative ones last, in the order they were added.
func (i *Interface) AddressInfos(now time.Duration) []AddressInfo {
	list := []AddressInfo{} // an array in JSON, too
	t := i.stack.table.Load()
	for n, a := range slices.Concat(t.addresses, t.tentative) {
		if a.owner == i {
			list = append(list, a.info(now, n >= len(t.addresses)))
		}
	}
	return list
}

func (a *address) info(now time.Duration, tentative bool) AddressInfo {
	return AddressInfo{
		Prefix: a.prefix, Tentative: tentative, Deprecated: a.deprecated, Temporary: a.temporary, Dynamic: a.valid != Forever,
		Preferred: left(now, a.preferred), Valid: left(now, a.valid),
	}
}

// left is the time from now to an end.
func left(now, end time.Duration) time.Duration {
	if end == Forever {
		return Forever
	}
	return max(end-now, 0)
}

// Addresses lists the addresses that the interface uses, in the order they were added.
func (i *Interface) Addresses() []netip.Prefix {
	var list []netip.Prefix
	for _, a := range i.stack.table.Load().addresses {
		if a.owner == i {
			list = append(list, a.prefix)
		}
	}
	return list
}
