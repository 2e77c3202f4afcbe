package socketapi

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"tunstack/ip"
)

// network is the parsed first argument of Dial, Listen and ListenPacket.
type network struct {
	name       string // the argument itself
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
			n.typ, n.proto = t.typ, t.proto
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

// resolve finds the addresses that "host:port", or of a raw socket "host", stands for, in the order in which they are to be tried. No host,
// or an unspecified address, is this host to Dial, and all its addresses if the socket is passive.
func (s *Stack) resolve(n network, address string, passive bool) ([]netip.AddrPort, error) {
	host, port := address, "0"
	if n.typ != SOCK_RAW {
		var err error
		if host, port, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	list, err := s.GetAddrInfo(cmp.Or(host, n.local(passive).String()), cmp.Or(port, "0"), &AddrInfo{Socktype: n.typ})
	if err != nil {
		return nil, resolveError(host, port, err)
	}
	var addrs []netip.AddrPort
	for _, a := range list {
		if addr := n.usable(unmap(a.Addr), passive); n.versions.Has(addr.Addr()) {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	if passive { // as package net
		slices.SortStableFunc(addrs, func(a, b netip.AddrPort) int { return a.Addr().BitLen() - b.Addr().BitLen() })
	}
	return addrs, nil
}

// usable replaces an unspecified address by local, except that of a passive raw socket.
func (n network) usable(a netip.AddrPort, passive bool) netip.AddrPort {
	if !a.Addr().IsUnspecified() || passive && n.typ == SOCK_RAW {
		return a
	}
	return netip.AddrPortFrom(n.local(passive), a.Port())
}

// resolveError is the error of package net for an error of GetAddrInfo.
func resolveError(host, port string, err error) error {
	if errors.Is(err, EAI_SERVICE) {
		return &net.DNSError{Err: "unknown port", Name: port, IsNotFound: true}
	}
	return &net.DNSError{Err: err.Error(), Name: host, IsNotFound: errors.Is(err, EAI_NONAME)}
}
