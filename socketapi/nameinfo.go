package socketapi

import (
	"context"
	"net/netip"
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

// GetNameInfo returns the names that an address and a port have, or their numbers without a name (getnameinfo(3)). The resolver looks the
// address up in /etc/hosts and by DNS; the port is looked up in /etc/services. An IPv4-mapped address has the name of the IPv4 address, and
// the number of a link-local address ends in its zone. hostLen and servLen are the sizes of the C program's buffers, with room for the zero
// byte that ends a text; a name with size 0 is not wanted. Errors are of type EAI: EAI_OVERFLOW for a text that is too long.
func (s *Stack) GetNameInfo(a netip.AddrPort, hostLen, servLen, flags int) (host, serv string, err error) {
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
		if host, err = s.hostName(a.Addr(), flags); err != nil {
			return "", "", err
		}
	}
	if servLen > 0 {
		serv = s.serviceName(a.Port(), flags)
	}
	if host != "" && len(host) >= hostLen || serv != "" && len(serv) >= servLen {
		return "", "", EAI_OVERFLOW
	}
	return host, serv, nil
}

// hostName returns the name of an address, or its text without a name. The error is EAI_NONAME if the flags do not allow the text, and
// EAI_AGAIN if no server answers, because the address can have a name then.
func (s *Stack) hostName(a netip.Addr, flags int) (string, error) {
	name := ""
	if flags&NI_NUMERICHOST == 0 {
		names, err := s.resolver.LookupAddr(context.Background(), a.String())
		if err == nil {
			name = strings.TrimSuffix(names[0], ".")
		} else if eaiOf(err) == EAI_AGAIN {
			return "", EAI_AGAIN
		}
	}
	switch {
	case name != "" && flags&NI_NOFQDN != 0:
		name, _, _ = strings.Cut(name, ".")
		return name, nil
	case name != "":
		return name, nil
	case flags&NI_NAMEREQD != 0:
		return "", EAI_NONAME
	}
	text := textOf(a.AsSlice())
	if a.Zone() != "" {
		text += "%" + a.Zone()
	}
	return text, nil
}

func (s *Stack) serviceName(port uint16, flags int) string {
	transport := "tcp"
	if flags&NI_DGRAM != 0 {
		transport = "udp"
	}
	if flags&NI_NUMERICSERV == 0 {
		if name := s.services.at(port, transport); name != "" {
			return name
		}
	}
	return strconv.Itoa(int(port))
}
