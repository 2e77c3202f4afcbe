package socketapi

import (
	"net/netip"
	"strconv"
)

// AddrInfo is one answer of GetAddrInfo, and also its hints. Hints use Flags, Family, Socktype and Protocol; zero means any.
type AddrInfo struct {
	Flags     int
	Family    int
	Socktype  int
	Protocol  int
	Addr      netip.AddrPort
	Canonname string // in the first answer, with AI_CANONNAME
}

// Flags of AddrInfo.
const (
	AI_PASSIVE     = 0x1   // without a node: the wildcard address, for Bind
	AI_CANONNAME   = 0x2   // give the canonical name
	AI_NUMERICHOST = 0x4   // the node is an address
	AI_NUMERICSERV = 0x400 // the service is a number
)

// EAI is an error of GetAddrInfo.
type EAI int

// Errors of GetAddrInfo.
const (
	EAI_BADFLAGS EAI = -1
	EAI_NONAME   EAI = -2
	EAI_FAMILY   EAI = -6
	EAI_SOCKTYPE EAI = -7
	EAI_SERVICE  EAI = -8
)

var eaiText = map[EAI]string{
	EAI_BADFLAGS: "Bad value for ai_flags",
	EAI_NONAME:   "Name or service not known",
	EAI_FAMILY:   "ai_family not supported",
	EAI_SOCKTYPE: "ai_socktype not supported",
	EAI_SERVICE:  "Servname not supported for ai_socktype",
}

// Error is the text of gai_strerror(3).
func (e EAI) Error() string { return eaiText[e] }

// GetAddrInfo finds the addresses of a node with the port of a service. The node is an address or a name in the machine's /etc/hosts,
// the service a number or a name in /etc/services; either may be "". It does not ask DNS. Errors are of type EAI.
func GetAddrInfo(node, service string, hints *AddrInfo) ([]AddrInfo, error) {
	return files{"/etc/hosts", "/etc/services"}.getAddrInfo(node, service, hints)
}

func (f files) getAddrInfo(node, service string, hints *AddrInfo) ([]AddrInfo, error) {
	var h AddrInfo
	if hints != nil {
		h = *hints
	}
	if err := h.check(node, service); err != nil {
		return nil, err
	}
	addrs, canonical, err := f.node(node, h.Flags)
	if err != nil {
		return nil, err
	}
	var list []AddrInfo
	for _, addr := range addrs {
		for _, t := range transports {
			if t.list == nil || h.Socktype != 0 && h.Socktype != t.typ || h.Protocol != 0 && t.proto != 0 && h.Protocol != t.proto {
				continue
			}
			port, ok := f.port(service, t.name, h.Flags)
			if !ok {
				continue
			}
			list = append(list, AddrInfo{
				Family: AF_INET, Socktype: t.typ, Protocol: max(t.proto, h.Protocol), Addr: netip.AddrPortFrom(addr, port),
			})
		}
	}
	switch {
	case len(list) == 0 && h.Flags&AI_NUMERICSERV != 0:
		return nil, EAI_NONAME
	case len(list) == 0:
		return nil, EAI_SERVICE
	case h.Flags&AI_CANONNAME != 0:
		list[0].Canonname = canonical
	}
	return list, nil
}

// check refuses contradictory or unknown hints.
func (h *AddrInfo) check(node, service string) error {
	switch {
	case node == "" && service == "":
		return EAI_NONAME
	case h.Flags&^(AI_PASSIVE|AI_CANONNAME|AI_NUMERICHOST|AI_NUMERICSERV) != 0, h.Flags&AI_CANONNAME != 0 && node == "":
		return EAI_BADFLAGS
	case h.Family != AF_UNSPEC && h.Family != AF_INET:
		return EAI_FAMILY
	case h.Socktype < 0 || h.Socktype > SOCK_RAW:
		return EAI_SOCKTYPE
	}
	return nil
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// node finds the addresses of a host and its canonical name.
func (f files) node(node string, flags int) ([]netip.Addr, string, error) {
	if node == "" && flags&AI_PASSIVE != 0 {
		return []netip.Addr{netip.IPv4Unspecified()}, "", nil
	}
	if node == "" {
		return []netip.Addr{loopback}, "", nil
	}
	if a, ok := InetAton(node); ok {
		return []netip.Addr{netip.AddrFrom4(a)}, node, nil
	}
	if flags&AI_NUMERICHOST != 0 {
		return nil, "", EAI_NONAME
	}
	addrs, canonical := f.host(node)
	if addrs == nil {
		return nil, "", EAI_NONAME
	}
	return addrs, canonical, nil
}

// port finds the port of a service over a transport.
func (f files) port(service, transport string, flags int) (uint16, bool) {
	if service == "" {
		return 0, true
	}
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return uint16(n), true
	}
	if flags&AI_NUMERICSERV != 0 || transport == "" {
		return 0, false
	}
	return f.service(service, transport)
}
