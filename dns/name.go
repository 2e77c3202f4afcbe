package dns

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Limits of names in bytes (RFC 1035 section 2.3.4). The limit of 255 of the wire includes the length of the first label and the root.
const (
	maxLabel = 63
	maxName  = 253
)

// validName reports whether a query for name can be sent: its labels and its length are within the limits. Labels may have any
// bytes (RFC 2181 section 11). One dot at the end is allowed.
func validName(name string) bool {
	if name == "." {
		return true
	}
	name = strings.TrimSuffix(name, ".")
	if len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return false
		}
	}
	return true
}

// ValidHost reports whether a name that another host has sent may be given to a program as the name of a host or a domain: a name with other
// characters than Go's package net and glibc's res_hnok allow could be an attack on the program.
func ValidHost(name string) bool {
	return validName(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// fold is a name in the form for comparisons (RFC 4343): in lower case, with a dot at the end.
func fold(name string) string {
	lower := func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if !strings.HasSuffix(name, ".") {
		name += "."
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
		return name
	}
	return strings.Map(lower, name)
}

// under reports whether a name is a domain or below it; both are folded.
func under(name, domain string) bool {
	return domain == "." || name == domain || strings.HasSuffix(name, "."+domain)
}

// candidates are the names to look up for a name that a user gives, each once, folded (resolv.conf(5): search and ndots). A name that
// no server is asked for has only itself.
func (s *Settings) candidates(name string) []string {
	whole := fold(name)
	if strings.HasSuffix(name, ".") || isSpecial(whole) {
		return []string{whole}
	}
	list := []string{whole}
	for _, domain := range s.Search {
		longer := fold(name)
		if domain != "." {
			longer += fold(domain)
		}
		if validName(longer) && !slices.Contains(list, longer) {
			list = append(list, longer)
		}
	}
	if strings.Count(name, ".") < s.Ndots {
		list = append(list[1:], whole)
	}
	return list
}

// reverseName is the name whose PTR record has the name of an address (RFC 1035 section 3.5, RFC 3596 section 2.5).
func reverseName(a netip.Addr) string {
	b := strings.Builder{}
	if a = a.Unmap(); a.Is4() {
		for _, v := range slices.Backward(a.AsSlice()) {
			b.WriteString(strconv.Itoa(int(v)) + ".")
		}
		return b.String() + "in-addr.arpa."
	}
	const hex = "0123456789abcdef"
	for _, v := range slices.Backward(a.AsSlice()) {
		b.Write([]byte{hex[v&15], '.', hex[v>>4], '.'})
	}
	return b.String() + "ip6.arpa."
}
