package socketapi

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Flags of GetNameInfo.
const (
	NI_NUMERICHOST = 0x1  // the host as an address
	NI_NUMERICSERV = 0x2  // the service as a number
	NI_NOFQDN      = 0x4  // the first label of the host's name only
	NI_NAMEREQD    = 0x8  // fail if the host has no name
	NI_DGRAM       = 0x10 // the service is UDP's
)

// GetNameInfo returns the names that an address and a port have in the machine's /etc/hosts and /etc/services, or their numbers without a name
// (getnameinfo(3)). It does not ask DNS. An IPv4-mapped address has the name of the IPv4 address, and the number of a link-local address ends
// in its zone. hostLen and servLen are the sizes of the C program's buffers, with room for the zero byte that ends a text; a name with size
// 0 is not wanted. Errors are of type EAI: EAI_OVERFLOW for a text that is too long.
func (s *Stack) GetNameInfo(a netip.AddrPort, hostLen, servLen, flags int) (host, serv string, err error) {
	return resolver{s, machineFiles}.getNameInfo(a, hostLen, servLen, flags)
}

func (r resolver) getNameInfo(a netip.AddrPort, hostLen, servLen, flags int) (host, serv string, err error) {
	const known = NI_NUMERICHOST | NI_NUMERICSERV | NI_NOFQDN | NI_NAMEREQD | NI_DGRAM
	switch {
	case flags&^known != 0:
		return "", "", EAI_BADFLAGS
	case !a.Addr().IsValid():
		return "", "", EAI_FAMILY
	case hostLen == 0 && servLen == 0:
		return "", "", EAI_NONAME
	}
	if hostLen > 0 {
		if host = r.hostName(a.Addr(), flags); host == "" {
			return "", "", EAI_NONAME
		}
	}
	if servLen > 0 {
		serv = r.serviceName(a.Port(), flags)
	}
	if host != "" && len(host) >= hostLen || serv != "" && len(serv) >= servLen {
		return "", "", EAI_OVERFLOW
	}
	return host, serv, nil
}

// hostName returns the name of an address, or its text without a name, or "" if the flags do not allow the text.
func (r resolver) hostName(a netip.Addr, flags int) string {
	name := ""
	if flags&NI_NUMERICHOST == 0 {
		name = r.files.nameOf(a.Unmap().WithZone(""))
	}
	switch {
	case name != "" && flags&NI_NOFQDN != 0:
		name, _, _ = strings.Cut(name, ".")
		return name
	case name != "":
		return name
	case flags&NI_NAMEREQD != 0:
		return ""
	}
	text := textOf(a.AsSlice())
	if a.Zone() != "" {
		text += "%" + a.Zone()
	}
	return text
}

func (r resolver) serviceName(port uint16, flags int) string {
	transport := "tcp"
	if flags&NI_DGRAM != 0 {
		transport = "udp"
	}
	if flags&NI_NUMERICSERV == 0 {
		if name := r.files.serviceAt(port, transport); name != "" {
			return name
		}
	}
	return strconv.Itoa(int(port))
}

// nameOf returns the first name of an address in the hosts file, or "" without a name.
func (f files) nameOf(a netip.Addr) string {
	for words := range lines(f.hosts) {
		if addr, err := netip.ParseAddr(words[0]); err == nil && addr.Unmap() == a {
			return words[1]
		}
	}
	return ""
}

// serviceAt returns the name of the service at a port in the services file, or "" without a name.
func (f files) serviceAt(port uint16, transport string) string {
	want := strconv.Itoa(int(port)) + "/" + transport
	for words := range lines(f.services) {
		if slices.Index(words, want) == 1 {
			return words[0]
		}
	}
	return ""
}
