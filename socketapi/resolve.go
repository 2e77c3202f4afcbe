package socketapi

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"tunstack/dns"
	"tunstack/ip"
)

// network is the parsed first argument of Dial, Listen and ListenPacket.
type network struct {
	name       string // the argument itself
	transport  string // in /etc/services
	typ, proto int
	versions   ip.Versions // the suffix 4 or 6 names one
}

// ipProtocols are the names that "ip:NAME" may have besides numbers.
var ipProtocols = map[string]int{
	"icmp": IPPROTO_ICMP, "igmp": 2, "tcp": IPPROTO_TCP, "udp": IPPROTO_UDP, "ipv6-icmp": IPPROTO_ICMPV6,
}

// parseNetwork reads "tcp", "udp", or "ip:" with a protocol's name or number, each with a 4 or 6 for one version of IP.
func parseNetwork(name string) (network, error) {
	kind, proto, isIP := strings.Cut(name, ":")
	n := network{name: name, versions: ip.Dual}
	switch base := strings.TrimRight(kind, "46"); kind {
	case base:
	case base + "4":
		kind, n.versions = base, ip.V4
	case base + "6":
		kind, n.versions = base, ip.V6
	}
	if isIP && kind == "ip" {
		n.typ, n.proto = SOCK_RAW, ipProtocols[proto]
		if number, err := strconv.ParseUint(proto, 10, 8); err == nil {
			n.proto = int(number)
		}
		if n.proto > 0 {
			return n, nil
		}
	}
	for _, t := range transports {
		if !isIP && t.name != "" && kind == t.name {
			n.transport, n.typ, n.proto = t.name, t.typ, t.proto
			return n, nil
		}
	}
	return network{}, net.UnknownNetworkError(name)
}

// socketFor returns the versions of the socket that package net makes for an address: a network of both versions has an IPv4 socket for an
// IPv4 address, and a dual-stack one for an IPv6 address and for ::.
func (n network) socketFor(a netip.Addr) ip.Versions {
	if n.versions == ip.Dual && a.Is4() {
		return ip.V4
	}
	return n.versions
}

// local is the address that stands for this host: a wildcard if the socket is passive, else a loopback address.
func (n network) local(passive bool) netip.Addr {
	switch {
	case passive && n.typ == SOCK_RAW && n.versions == ip.Dual: // a raw socket has one version
		return netip.IPv4Unspecified()
	case passive:
		return n.versions.Wildcard()
	case n.versions == ip.V6:
		return netip.IPv6Loopback()
	}
	return loopback
}

// destination is the parsed second argument of Dial, Listen and ListenPacket.
type destination struct {
	network
	host    string
	addr    netip.Addr // of the host; invalid: host is a name
	port    uint16
	passive bool
}

// destination reads "host:port", or of a raw socket "host". No host is this host to Dial, and all its addresses if the socket is passive.
func (s *Stack) destination(n network, address string, passive bool) (destination, error) {
	d := destination{network: n, host: address, passive: passive}
	if n.typ != SOCK_RAW {
		var port string
		var err error
		if d.host, port, err = net.SplitHostPort(address); err != nil {
			return d, err
		}
		var ok bool
		if d.port, ok = s.services.port(port, n.transport); !ok {
			return d, &net.DNSError{Err: "unknown port", Name: port, IsNotFound: true}
		}
	}
	if d.host == "" {
		d.addr = n.local(passive)
	} else if a, ok := s.numeric(d.host); ok {
		d.addr = a
	}
	return d, nil
}

// resolve finds the addresses of a destination, in the order in which they are to be tried. It calls found with those of each version of
// IP as soon as they are known.
func (s *Stack) resolve(ctx context.Context, d destination, found func([]netip.Addr)) ([]netip.Addr, error) {
	host := dns.Host{Addrs: []netip.Addr{d.addr}}
	if !d.addr.IsValid() {
		var err error
		host, err = s.lookup(ctx, s.asked(d.versions), d.host, func(addrs []netip.Addr) { found(d.usable(addrs)) })
		if err != nil {
			return nil, err
		}
	}
	addrs := d.usable(host.Addrs)
	if len(addrs) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: d.host}
	}
	if d.passive { // as package net
		slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	}
	return addrs, nil
}

// asked returns the versions of IP whose addresses a name is asked for: if the network allows both, those that the stack can use.
func (s *Stack) asked(v ip.Versions) ip.Versions {
	if v == ip.Dual {
		return s.reachable()
	}
	return v
}

// usable returns the addresses that a socket of the network can have or connect to. An unspecified address is replaced by local, except for
// a passive raw socket.
func (d *destination) usable(addrs []netip.Addr) (list []netip.Addr) {
	for _, a := range addrs {
		a = a.Unmap()
		if a.IsUnspecified() && !(d.passive && d.typ == SOCK_RAW) {
			a = d.local(d.passive)
		}
		if d.versions.Has(a) {
			list = append(list, a)
		}
	}
	return list
}

// at is an address of the destination with its port.
func (d *destination) at(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, d.port) }

// ResolveTCPAddr is that of package net, by the stack's resolver.
func (s *Stack) ResolveTCPAddr(network, address string) (*net.TCPAddr, error) {
	addr, err := s.resolveFirst(SOCK_STREAM, network, address)
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(addr), nil
}

// ResolveUDPAddr is that of package net, by the stack's resolver.
func (s *Stack) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	addr, err := s.resolveFirst(SOCK_DGRAM, network, address)
	if err != nil {
		return nil, err
	}
	return net.UDPAddrFromAddrPort(addr), nil
}

// resolveFirst finds the address for a socket of a type; as package net it prefers IPv4.
func (s *Stack) resolveFirst(typ int, name, address string) (netip.AddrPort, error) {
	n, err := parseNetwork(name)
	if err != nil || n.typ != typ {
		return netip.AddrPort{}, net.UnknownNetworkError(name)
	}
	d, err := s.destination(n, address, true)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addrs, err := s.resolve(context.Background(), d, func([]netip.Addr) {})
	if err != nil {
		return netip.AddrPort{}, err
	}
	return d.at(addrs[0]), nil
}
