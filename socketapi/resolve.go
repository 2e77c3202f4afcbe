package socketapi

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// network is the parsed first argument of Dial, Listen and ListenPacket.
type network struct {
	name       string // the argument itself
	typ, proto int
}

// ipProtocols are the names that "ip4:NAME" may have besides numbers.
var ipProtocols = map[string]int{"icmp": IPPROTO_ICMP, "igmp": 2, "tcp": IPPROTO_TCP, "udp": IPPROTO_UDP}

// parseNetwork reads "tcp", "tcp4", "udp", "udp4", or "ip:" or "ip4:" with a protocol's name or number.
func parseNetwork(name string) (network, error) {
	for _, t := range transports {
		if t.name != "" && (name == t.name || name == t.name+"4") {
			return network{name, t.typ, t.proto}, nil
		}
	}
	if kind, proto, isIP := strings.Cut(name, ":"); isIP && (kind == "ip" || kind == "ip4") {
		if n, ok := ipProtocols[proto]; ok {
			return network{name, SOCK_RAW, n}, nil
		}
		if n, err := strconv.ParseUint(proto, 10, 8); err == nil && n > 0 {
			return network{name, SOCK_RAW, int(n)}, nil
		}
	}
	return network{}, net.UnknownNetworkError(name)
}

// resolve finds what an address "host:port", or of a raw socket "host", stands for. Without a host that is this host
// to Dial, and all its addresses if it is passive.
func (n network) resolve(address string, passive bool) ([]netip.AddrPort, error) {
	hints := AddrInfo{Socktype: n.typ}
	if passive {
		hints.Flags = AI_PASSIVE
	}
	host, port := address, "0"
	if n.typ != SOCK_RAW {
		var err error
		if host, port, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
		if port == "" {
			port = "0"
		}
	}
	list, err := GetAddrInfo(host, port, &hints)
	if err != nil {
		return nil, resolveError(host, port, err)
	}
	addrs := make([]netip.AddrPort, len(list))
	for i, a := range list {
		addrs[i] = a.Addr
	}
	return addrs, nil
}

// resolveError is the error of package net for an error of GetAddrInfo.
func resolveError(host, port string, err error) error {
	if errors.Is(err, EAI_SERVICE) {
		return &net.DNSError{Err: "unknown port", Name: port, IsNotFound: true}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return &net.AddrError{Err: "not an IPv4 address", Addr: host}
	}
	return &net.DNSError{Err: err.Error(), Name: host, IsNotFound: errors.Is(err, EAI_NONAME)}
}
