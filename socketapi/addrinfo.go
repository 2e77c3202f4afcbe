package socketapi

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"

	"tunstack/dns"
	"tunstack/ip"
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
	AI_V4MAPPED    = 0x8   // with AF_INET6: IPv4-mapped addresses of a node without IPv6 addresses
	AI_ALL         = 0x10  // with AI_V4MAPPED: the IPv4-mapped addresses besides the IPv6 addresses
	AI_ADDRCONFIG  = 0x20  // only families of which an interface other than the loopback has an address
	AI_NUMERICSERV = 0x400 // the service is a number
)

// EAI is an error of GetAddrInfo and GetNameInfo.
type EAI int

// Errors of GetAddrInfo and GetNameInfo.
const (
	EAI_BADFLAGS   EAI = -1
	EAI_NONAME     EAI = -2
	EAI_AGAIN      EAI = -3
	EAI_FAIL       EAI = -4
	EAI_NODATA     EAI = -5
	EAI_FAMILY     EAI = -6
	EAI_SOCKTYPE   EAI = -7
	EAI_SERVICE    EAI = -8
	EAI_ADDRFAMILY EAI = -9
	EAI_OVERFLOW   EAI = -12
)

var eaiText = map[EAI]string{
	EAI_BADFLAGS:   "Bad value for ai_flags",
	EAI_NONAME:     "Name or service not known",
	EAI_AGAIN:      "Temporary failure in name resolution",
	EAI_FAIL:       "Non-recoverable failure in name resolution",
	EAI_NODATA:     "No address associated with hostname",
	EAI_FAMILY:     "ai_family not supported",
	EAI_SOCKTYPE:   "ai_socktype not supported",
	EAI_SERVICE:    "Servname not supported for ai_socktype",
	EAI_ADDRFAMILY: "Address family for hostname not supported",
	EAI_OVERFLOW:   "Argument buffer overflow",
}

// Error is the text of gai_strerror(3).
func (e EAI) Error() string { return eaiText[e] }

// GetAddrInfo finds the addresses of a node with the port of a service. The node is an address, a link-local one perhaps with its zone, or a
// name, which the resolver looks up in /etc/hosts and by DNS; the service is a number or a name in /etc/services. Either may be "". The
// addresses of a name are in the order of RFC 6724, the best first. Errors are of type EAI.
func (s *Stack) GetAddrInfo(node, service string, hints *AddrInfo) ([]AddrInfo, error) {
	var h AddrInfo
	if hints != nil {
		h = *hints
	}
	if err := h.check(node, service); err != nil {
		return nil, err
	}
	if err := h.restrict(s); err != nil {
		return nil, err
	}
	kinds, err := s.kindsOf(service, &h)
	if err != nil {
		return nil, err
	}
	addrs, canonical, err := s.node(node, &h)
	if err != nil {
		return nil, err
	}
	var list []AddrInfo
	for _, a := range addrs {
		for _, k := range kinds {
			list = append(list, AddrInfo{Family: domainOf(ip.VersionOf(a)), Socktype: k.typ, Protocol: k.proto, Addr: netip.AddrPortFrom(a, k.port)})
		}
	}
	if h.Flags&AI_CANONNAME != 0 {
		list[0].Canonname = canonical
	}
	return list, nil
}

// kind is a kind of socket that can use a service.
type kind struct {
	typ, proto int
	port       uint16
}

// kindsOf returns the kinds of socket that the hints ask for and that have the service, as glibc does: the first that matches the hints,
// without a type and a protocol each. A raw socket has no service; it is in the list of all if the service is a number.
func (s *Stack) kindsOf(service string, h *AddrInfo) (list []kind, err error) {
	every, none := h.Socktype == 0 && h.Protocol == 0, error(EAI_SERVICE)
	if h.Socktype != 0 {
		none = EAI_SOCKTYPE
	}
	_, notNumber := strconv.ParseInt(service, 10, 64)
	named := notNumber != nil && service != ""
	for i := range transports {
		t := &transports[i]
		raw := t.proto == 0
		if t.list == nil || !every && (h.Socktype != 0 && h.Socktype != t.typ || h.Protocol != 0 && !raw && h.Protocol != t.proto) {
			continue
		}
		none = EAI_SERVICE
		port, ok := s.services.port(service, t.name)
		if ok && (every || !raw || service == "") {
			list = append(list, kind{t.typ, max(t.proto, h.Protocol), port})
		}
		if !every {
			break
		}
	}
	switch {
	case named && h.Flags&AI_NUMERICSERV != 0:
		return nil, EAI_NONAME
	case list == nil:
		return nil, none
	}
	return list, nil
}

// check refuses contradictory or unknown hints.
func (h *AddrInfo) check(node, service string) error {
	const known = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_NUMERICSERV | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG
	switch {
	case node == "" && service == "":
		return EAI_NONAME
	case h.Flags&^known != 0, h.Flags&AI_CANONNAME != 0 && node == "":
		return EAI_BADFLAGS
	case h.Family != AF_UNSPEC && h.Family != AF_INET && h.Family != AF_INET6:
		return EAI_FAMILY
	}
	return nil
}

// restrict limits the hints to the families that AI_ADDRCONFIG allows. The error is EAI_NONAME if it allows none of them. As in glibc, on
// a stack without any address but the loopback's it allows both.
func (h *AddrInfo) restrict(s *Stack) error {
	if h.Flags&AI_ADDRCONFIG == 0 {
		return nil
	}
	has := s.reachable()
	switch {
	case has == ip.Dual:
	case h.Family == AF_UNSPEC:
		h.Family = domainOf(has)
	case h.Family != domainOf(has):
		return EAI_NONAME
	}
	return nil
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Addresses of a node "", in the order of glibc.
var (
	wildcards = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	loopbacks = []netip.Addr{netip.IPv6Loopback(), loopback}
)

// node finds the addresses of a host and its canonical name.
func (s *Stack) node(node string, h *AddrInfo) ([]netip.Addr, string, error) {
	switch {
	case node == "" && h.Flags&AI_PASSIVE != 0:
		return (&AddrInfo{Family: h.Family}).ofFamily(wildcards), "", nil
	case node == "":
		return (&AddrInfo{Family: h.Family}).ofFamily(loopbacks), "", nil
	}
	a, ok := s.numeric(node)
	if h.Family == AF_INET {
		a = a.Unmap()
	}
	addrs := h.ofFamily([]netip.Addr{a})
	switch {
	case a.IsValid() && addrs == nil:
		return nil, "", EAI_ADDRFAMILY
	case ok:
		return addrs, node, nil
	case a.IsValid() || h.Flags&AI_NUMERICHOST != 0:
		return nil, "", EAI_NONAME
	}
	var err error
	for _, v := range h.versions() {
		var found dns.Host
		if found, err = s.lookup(context.Background(), v, node, func([]netip.Addr) {}); err == nil {
			return h.ofFamily(found.Addrs), found.Canonical, nil
		}
	}
	return nil, "", eaiOf(err)
}

// versions returns the versions of IP whose addresses can be in an answer; of several only the first that has addresses counts.
func (h *AddrInfo) versions() []ip.Versions {
	switch mapped := h.Flags & (AI_V4MAPPED | AI_ALL); {
	case h.Family == AF_INET:
		return []ip.Versions{ip.V4}
	case h.Family == AF_INET6 && mapped == AI_V4MAPPED:
		return []ip.Versions{ip.V6, ip.V4}
	case h.Family == AF_INET6 && mapped != AI_V4MAPPED|AI_ALL:
		return []ip.Versions{ip.V6}
	}
	return []ip.Versions{ip.Dual}
}

// eaiOf is the error of getaddrinfo(3) for an error of the resolver. As in glibc, a name that exists without an address has one of its own.
func eaiOf(err error) EAI {
	var e *net.DNSError
	switch {
	case errors.Is(err, dns.ErrNoData):
		return EAI_NODATA
	case errors.Is(err, dns.ErrNoName), errors.Is(err, dns.ErrBadName), errors.Is(err, dns.ErrNoServer):
		return EAI_NONAME
	case errors.As(err, &e) && e.IsTemporary:
		return EAI_AGAIN
	}
	return EAI_FAIL
}

// numeric reads an address of either family. One that needs a zone may have the name or the number of an interface, and loses none; others
// may have a number, which means nothing, as in Linux. ok is false for other texts, and for an address whose zone does not exist.
func (s *Stack) numeric(text string) (a netip.Addr, ok bool) {
	if a, ok := InetAton(text); ok {
		return netip.AddrFrom4(a), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is4() {
		return netip.Addr{}, false
	}
	plain, zone, ok := s.ip.ScopedBy(a)
	switch {
	case zone == nil:
		return a, ok
	case ip.NeedsZone(a):
		return a.WithZone(zone.Name()), true
	}
	_, err = strconv.Atoi(a.Zone())
	return plain, err == nil
}

// ofFamily selects the addresses that the hints ask for. The result is nil if no address is left.
func (h *AddrInfo) ofFamily(addrs []netip.Addr) []netip.Addr {
	if h.Family == AF_UNSPEC {
		return addrs
	}
	var own, mapped []netip.Addr
	for _, a := range addrs {
		switch {
		case domainOf(ip.VersionOf(a)) == h.Family:
			own = append(own, a)
		case h.Family == AF_INET6 && h.Flags&AI_V4MAPPED != 0:
			mapped = append(mapped, netip.AddrFrom16(a.As16()))
		}
	}
	if own == nil || h.Flags&AI_ALL != 0 {
		own = append(own, mapped...)
	}
	return own
}
