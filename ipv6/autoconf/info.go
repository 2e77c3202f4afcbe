package autoconf

import (
	"net/netip"
	"reflect"
)

// Info is what an interface has configured by itself, and what the routers on its link advertise for other programs. It must not be
// changed.
type Info struct {
	Interface string         `json:"interface"`
	Addresses []netip.Prefix `json:"addresses"` // formed and in use, the link-local one first
	Routers   []netip.Addr   `json:"routers"`   // the Default Router List, with zones
	Servers   []netip.Addr   `json:"servers"`   // recursive DNS servers (RFC 8106), link-local ones with the interface as zone
	Search    []string       `json:"search"`    // domains of the DNS search list (RFC 8106), without a dot at the end
	Managed   bool           `json:"managed"`   // DHCPv6 has addresses and all other settings (RFC 4861 section 4.2)
	Other     bool           `json:"other"`     // DHCPv6 has other settings than addresses
	NoRouter  bool           `json:"no_router"` // three solicitations are sent, and no router has answered
}

// flags are the flags of the latest advertisement, as in Linux.
type flags struct{ managed, other bool }

// Info returns what the interface has configured by now.
func (h *Host) Info() Info { return *h.info.Load() }

// tell publishes the Info if it has changed.
func (h *Host) tell() {
	info := &Info{
		Interface: h.iface.Name(), Servers: h.servers.keys(), Search: h.domains.keys(), Managed: h.flags.managed, Other: h.flags.other,
		NoRouter: h.solicit.sent >= maxSolicitations && !h.solicit.answered,
	}
	for _, a := range h.routers.keys() {
		info.Routers = append(info.Routers, h.iface.Scoped(a))
	}
	for _, b := range h.bindings {
		if b.state == owned {
			info.Addresses = append(info.Addresses, netip.PrefixFrom(b.addr, 64))
		}
	}
	if reflect.DeepEqual(info, h.info.Load()) {
		return
	}
	h.info.Store(info)
	if h.cfg.Changed != nil {
		h.cfg.Changed(*info)
	}
}
