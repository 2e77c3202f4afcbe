package nd

import (
	"net/netip"
	"strings"
	"time"
)

const dnsHeader = 6 // bytes before the addresses or names: reserved, lifetime

// RDNSS lists recursive DNS servers (RFC 8106 section 5.1).
type RDNSS struct {
	Servers  []netip.Addr // without zones
	Lifetime time.Duration
}

func parseRDNSS(b []byte) (s RDNSS, ok bool) {
	if len(b) <= dnsHeader || (len(b)-dnsHeader)%16 != 0 {
		return s, false
	}
	s.Lifetime = lifetime(b[2:])
	for b = b[dnsHeader:]; len(b) > 0; b = b[16:] {
		s.Servers = append(s.Servers, netip.AddrFrom16([16]byte(b)))
	}
	return s, true
}

// DNSSL lists domains in which hosts search names (RFC 8106 section 5.2).
type DNSSL struct {
	Domains  []string // without the dot of the root
	Lifetime time.Duration
}

func parseDNSSL(b []byte) (s DNSSL, ok bool) {
	if len(b) <= dnsHeader {
		return s, false
	}
	s.Lifetime = lifetime(b[2:])
	for b = b[dnsHeader:]; len(b) > 0 && b[0] != 0; {
		var name string
		if name, b, ok = parseName(b); !ok {
			return DNSSL{}, false
		}
		s.Domains = append(s.Domains, name)
	}
	for _, padding := range b {
		if padding != 0 {
			return DNSSL{}, false
		}
	}
	return s, len(s.Domains) > 0
}

const (
	maxLabel = 63  // bytes (RFC 1035 section 2.3.4)
	maxName  = 253 // characters
)

// parseName reads an uncompressed name at the start of b and returns what follows it.
func parseName(b []byte) (name string, rest []byte, ok bool) {
	var labels []string
	for len(b) > 0 && b[0] != 0 {
		n := int(b[0])
		if n > maxLabel || n >= len(b) || !isLabel(b[1:1+n]) {
			return "", nil, false
		}
		labels = append(labels, string(b[1:1+n]))
		b = b[1+n:]
	}
	if len(b) == 0 {
		return "", nil, false
	}
	name = strings.Join(labels, ".")
	return name, b[1:], len(name) <= maxName
}

// isLabel reports whether a label has only the characters of host names and the underscore. Others could be taken for something else
// where the domain ends up in a text file.
func isLabel(label []byte) bool {
	for _, c := range label {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
