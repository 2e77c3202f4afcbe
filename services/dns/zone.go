package dns

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"tunstack/services"
)

// zone is the domain for which the server is the authority.
const zone = services.Name + "."

// ttl is the time in seconds for which clients may keep an answer: an address of the stack may change.
const ttl = 60

// own is the answer to a query that needs no other server; nil: it does.
func (s *server) own(q *query) *dns.Msg {
	if rcode := q.fault(); rcode != dns.RcodeSuccess {
		return q.answer(rcode)
	}
	asked := q.Question[0]
	name := dns.CanonicalName(asked.Name)
	m := q.answer(dns.RcodeSuccess)
	m.RecursionAvailable = len(s.Forward) > 0
	switch {
	case s.local(m, asked, name):
	case len(s.Forward) == 0 || !q.RecursionDesired:
		m.Rcode = dns.RcodeRefused
	default:
		return nil
	}
	return m
}

// local answers for the zone, for the reverse names of its hosts, and for the names that no other server may be asked for. It returns
// false for all others.
func (s *server) local(m *dns.Msg, asked dns.Question, name string) bool {
	hosts := append(s.Hosts(), Host{Name: "localhost", Addrs: loopbacks})
	for _, h := range hosts {
		if dns.CanonicalName(h.Name) == name {
			s.records(m, asked, h)
			return true
		}
		for _, a := range h.Addrs {
			if reverse, err := dns.ReverseAddr(a.WithZone("").String()); err == nil && reverse == name {
				s.pointer(m, asked, h)
				return true
			}
		}
	}
	switch {
	case dns.IsSubDomain("localhost.", name): // RFC 6761 section 6.3
		s.records(m, asked, Host{Addrs: loopbacks})
	case dns.IsSubDomain(zone, name):
		m.Authoritative = true
		m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{soa(zone)}
	case reserved(name):
		m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{soa(name[strings.LastIndexByte(strings.TrimSuffix(name, "."), '.')+1:])}
	default:
		return false
	}
	return true
}

var loopbacks = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// reserved reports whether a name is in a domain that the public DNS does not have (RFC 6761 section 6.4, RFC 6762 section 22.1, RFC 7686
// section 2).
func reserved(name string) bool {
	for _, domain := range []string{"invalid.", "local.", "onion."} {
		if dns.IsSubDomain(domain, name) {
			return true
		}
	}
	return false
}

// records answers with the records of a host.
func (s *server) records(m *dns.Msg, asked dns.Question, h Host) {
	m.Authoritative = true
	any := asked.Qtype == dns.TypeANY
	head := dns.RR_Header{Name: asked.Name, Class: dns.ClassINET, Ttl: ttl}
	for _, a := range h.Addrs {
		head.Rrtype = dns.TypeAAAA
		if a.Is4() {
			head.Rrtype = dns.TypeA
		}
		switch {
		case asked.Qtype != head.Rrtype && !any:
		case a.Is4():
			m.Answer = append(m.Answer, &dns.A{Hdr: head, A: a.AsSlice()})
		default:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: a.AsSlice()})
		}
	}
	if dns.CanonicalName(asked.Name) == zone && (any || asked.Qtype == dns.TypeSOA) {
		m.Answer = append(m.Answer, soa(asked.Name))
	}
	if dns.CanonicalName(asked.Name) == zone && (any || asked.Qtype == dns.TypeNS) {
		head.Rrtype = dns.TypeNS
		m.Answer = append(m.Answer, &dns.NS{Hdr: head, Ns: zone})
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{soa(apex(dns.CanonicalName(asked.Name)))}
	}
}

// apex is the zone of an existing name.
func apex(name string) string {
	if dns.IsSubDomain(zone, name) {
		return zone
	}
	return "localhost."
}

// pointer answers for the reverse name of an address of a host, which is a zone of its own.
func (s *server) pointer(m *dns.Msg, asked dns.Question, h Host) {
	m.Authoritative = true
	switch asked.Qtype {
	case dns.TypePTR, dns.TypeANY:
		head := dns.RR_Header{Name: asked.Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: ttl}
		m.Answer = []dns.RR{&dns.PTR{Hdr: head, Ptr: dns.Fqdn(h.Name)}}
	case dns.TypeSOA:
		m.Answer = []dns.RR{soa(asked.Name)}
	default:
		m.Ns = []dns.RR{soa(asked.Name)}
	}
}

// soa is the SOA record of a zone. Its minimum is how long clients remember that a name does not exist (RFC 2308 section 4).
func soa(name string) dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  zone, Mbox: "hostmaster." + zone, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: ttl,
	}
}
