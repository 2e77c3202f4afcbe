package dns

import (
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// isSpecial reports whether no server is asked for a name: localhost and names below it are this host (RFC 6761 section 6.3), and
// names below invalid and onion do not exist (RFC 6761 section 6.4, RFC 7686 section 2).
func isSpecial(name string) bool {
	return under(name, "localhost.") || under(name, "invalid.") || under(name, "onion.")
}

// special answers the questions that no server is asked.
func special(q question) (*Answer, bool) {
	switch {
	case under(q.name, "localhost."):
		return &Answer{Name: q.name, Records: localhost(q)}, true
	case isSpecial(q.name):
		return &Answer{Name: q.name, RCode: dnsmessage.RCodeNameError}, true
	case q.typ == dnsmessage.TypePTR && (q.name == reverse4 || q.name == reverse6):
		body := &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("localhost.")}
		return &Answer{Name: q.name, Records: []Record{{Name: q.name, Type: q.typ, Data: body}}}, true
	}
	return nil, false
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	reverse4  = reverseName(loopback4)
	reverse6  = reverseName(netip.IPv6Loopback())
)

func localhost(q question) []Record {
	switch q.typ {
	case dnsmessage.TypeA:
		return []Record{{Name: q.name, Type: q.typ, Data: &dnsmessage.AResource{A: loopback4.As4()}}}
	case dnsmessage.TypeAAAA:
		return []Record{{Name: q.name, Type: q.typ, Data: &dnsmessage.AAAAResource{AAAA: netip.IPv6Loopback().As16()}}}
	}
	return nil
}
