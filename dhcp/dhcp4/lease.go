package dhcp4

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"tunstack/dhcp/option"
	"tunstack/internal/stats"
)

// Lease is an address that a server has given to the client for some time, with the settings that go with it. Times are those of the
// caller's clock; Forever: never.
type Lease struct {
	Addr   netip.Prefix
	Server netip.Addr
	Start  time.Duration // when the client asked for it
	Renew  time.Duration // T1
	Rebind time.Duration // T2
	End    time.Duration
	Settings
}

// Settings are the parameters of a lease (RFC 2132).
type Settings struct {
	Routes    []Route      `json:"routes"`
	DNS       []netip.Addr `json:"dns"`
	Domain    string       `json:"domain"`
	Search    []string     `json:"search"`
	Hostname  string       `json:"hostname"`
	MTU       int          `json:"mtu"`       // in bytes; 0: the server sets none
	Broadcast netip.Addr   `json:"broadcast"` // only shown: the stack derives it from the network
	NTP       []netip.Addr `json:"ntp"`       // only shown
}

// NoSettings are the settings without a lease, with arrays in JSON, too.
func NoSettings() Settings {
	return Settings{Routes: []Route{}, DNS: []netip.Addr{}, Search: []string{}, NTP: []netip.Addr{}}
}

// SearchList are the domains in which a resolver looks for short names: the search list, else the domain (RFC 3397 section 2).
func (s *Settings) SearchList() []string {
	if len(s.Search) > 0 || s.Domain == "" {
		return s.Search
	}
	return []string{s.Domain}
}

// Route is a route of a lease, default routes in the order of preference.
type Route struct {
	Prefix netip.Prefix `json:"prefix"`
	Router netip.Addr   `json:"router"` // the zero Addr: the network is on the link (RFC 3442, Local Subnet Routes)
}

// Bounds of what a lease may contain.
const (
	maxRoutes  = 64
	maxServers = 8
	maxDomains = 16
	minMTU     = 68 // RFC 2132 section 5.1
)

// leaseOf reads the lease in an OFFER or ACK, which counts from start.
func (c *Client) leaseOf(start time.Duration, m *dhcpv4.DHCPv4) (*Lease, *stats.Counter) {
	addr, ok := netip.AddrFromSlice(m.YourIPAddr.To4())
	seconds := m.Options.Get(dhcpv4.OptionIPAddressLeaseTime)
	l := &Lease{Addr: netip.PrefixFrom(addr, maskLen(m, addr)), Server: serverID(m), Start: start}
	switch {
	case !ok || !isHostIn(addr, l.Addr):
		return nil, &c.stats.DropAddress
	case len(seconds) != 4 || binary.BigEndian.Uint32(seconds) == 0:
		return nil, &c.stats.DropLease
	}
	c.setTimes(l, m, binary.BigEndian.Uint32(seconds))
	l.Settings = settings(m)
	return l, nil
}

// infinite is the lease time that never ends (RFC 2131 section 3.3).
const infinite = 1<<32 - 1

// setTimes sets the times of a lease (RFC 2131 section 4.4.5). What the server says about T1 and T2 counts if T1 < T2 < the lease. A random
// part keeps clients that started together from asking together.
func (c *Client) setTimes(l *Lease, m *dhcpv4.DHCPv4, seconds uint32) {
	if seconds == infinite {
		l.Renew, l.Rebind, l.End = Forever, Forever, Forever
		return
	}
	lease := time.Duration(seconds) * time.Second
	t1, t2 := m.IPAddressRenewalTime(0), m.IPAddressRebindingTime(0)
	if t2 <= 0 || t2 >= lease {
		t2 = lease * 7 / 8
	}
	if t1 <= 0 || t1 >= t2 {
		t1 = min(lease/2, t2*4/7)
	}
	fuzz := c.between(0, t1/16)
	l.Renew, l.Rebind, l.End = l.Start+t1-fuzz, l.Start+t2-fuzz, l.Start+lease
}

// settings reads the parameters of a message. What is malformed, or beyond the bounds, is left out.
func settings(m *dhcpv4.DHCPv4) Settings {
	s := NoSettings()
	s.DNS, s.NTP, s.Routes = append(s.DNS, hosts(m.DNS())...), append(s.NTP, hosts(m.NTPServers())...), append(s.Routes, routes(m)...)
	s.Domain, s.Hostname = option.Domain(m.DomainName()), option.Domain(m.HostName())
	s.Broadcast = address(m.Options.Get(dhcpv4.OptionBroadcastAddress))
	if b := m.Options.Get(dhcpv4.OptionInterfaceMTU); len(b) == 2 {
		if n := int(binary.BigEndian.Uint16(b)); n >= minMTU {
			s.MTU = n
		}
	}
	if list := m.DomainSearch(); list != nil {
		s.Search = option.Domains(list.Labels, maxDomains)
	}
	return s
}

// routes reads the classless routes, or if there are none the routers (RFC 3442).
func routes(m *dhcpv4.DHCPv4) (list []Route) {
	if classless := m.ClasslessStaticRoute(); classless != nil {
		for _, r := range classless[:min(len(classless), maxRoutes)] {
			to, _ := netip.AddrFromSlice(r.Dest.IP.To4())
			bits, _ := r.Dest.Mask.Size()
			router, _ := netip.AddrFromSlice(r.Router.To4())
			switch {
			case router.IsUnspecified():
				router = netip.Addr{}
			case !isHost(router):
				continue
			}
			list = append(list, Route{netip.PrefixFrom(to, bits).Masked(), router})
		}
		return list
	}
	for _, router := range hosts(m.Router()) {
		list = append(list, Route{netip.PrefixFrom(netip.IPv4Unspecified(), 0), router})
	}
	return list
}

// hosts are the first addresses of a list that hosts can have.
func hosts(ips []net.IP) (list []netip.Addr) {
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip.To4()); ok && isHost(a) && len(list) < maxServers {
			list = append(list, a)
		}
	}
	return list
}

// maskLen is the length of the address's network: by the option, else by the class of the address (RFC 950 section 2.1).
func maskLen(m *dhcpv4.DHCPv4, addr netip.Addr) int {
	if ones, bits := m.SubnetMask().Size(); bits == 32 && ones > 0 {
		return ones
	}
	if !addr.Is4() {
		return 32
	}
	ones, _ := net.IP(addr.AsSlice()).DefaultMask().Size()
	return max(ones, 8)
}

// isHost reports whether a is of the form of one host's address.
func isHost(a netip.Addr) bool {
	return a.Is4() && a.As4()[0] != 0 && a.As4()[0] < 224 && !a.IsLoopback()
}

// isHostIn reports whether a host may have a in a network: it is neither the network's own address nor its broadcast address, unless the
// network has one or two addresses (RFC 3021).
func isHostIn(a netip.Addr, network netip.Prefix) bool {
	if !isHost(a) || a.IsLinkLocalUnicast() {
		return false
	}
	host := binary.BigEndian.Uint32(a.AsSlice()) << network.Bits() >> network.Bits()
	return network.Bits() >= 31 || host != 0 && host != 1<<(32-network.Bits())-1
}
