package mdns

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// topBit is the bit cache-flush in the class of a record, which says that these are all records of the name and type, and the bit QU of
// a question, which asks for a direct answer (RFC 6762 sections 10.2 and 5.4).
const topBit = 1 << 15

// ttl is the time in seconds for which others may keep the records (RFC 6762 section 10).
const ttl = 120

// addressRecord is the record of an address of a name.
func addressRecord(name string, a netip.Addr, ttl uint32) dns.RR {
	head := dns.RR_Header{Name: name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET | topBit, Ttl: ttl}
	if a.Is4() {
		head.Rrtype = dns.TypeA
		return &dns.A{Hdr: head, A: a.AsSlice()}
	}
	return &dns.AAAA{Hdr: head, AAAA: a.AsSlice()}
}

// pointer is the record that gives an address its name. Address conflict detection has shown that no other host has the address, so
// that the record is not probed for.
func pointer(name string, a netip.Addr, ttl uint32) dns.RR {
	reverse, _ := dns.ReverseAddr(a.WithZone("").String()) // every address has one
	return &dns.PTR{Hdr: dns.RR_Header{Name: reverse, Rrtype: dns.TypePTR, Class: dns.ClassINET | topBit, Ttl: ttl}, Ptr: name}
}

// records are all records of addresses: forward, then reverse.
func (h *Host) records(addrs []netip.Addr, ttl uint32) (list []dns.RR) {
	for _, a := range addrs {
		list = append(list, addressRecord(h.Name(), a, ttl))
	}
	for _, a := range addrs {
		list = append(list, pointer(h.Name(), a, ttl))
	}
	return list
}

// absence says which types of records the name has, and so that it has no others (RFC 6762 section 6.1).
func (h *Host) absence() dns.RR {
	var types []uint16
	for _, a := range h.addrs {
		types = append(types, addressRecord("", a, 0).Header().Rrtype)
	}
	slices.Sort(types)
	return &dns.NSEC{
		Hdr:        dns.RR_Header{Name: h.Name(), Rrtype: dns.TypeNSEC, Class: dns.ClassINET | topBit, Ttl: ttl},
		NextDomain: h.Name(), TypeBitMap: slices.Compact(types),
	}
}

// proposed are the records in a probe: without the bit cache-flush, because they are not valid yet.
func (h *Host) proposed() (list []dns.RR) {
	for _, a := range h.addrs {
		rr := addressRecord(h.Name(), a, ttl)
		rr.Header().Class = dns.ClassINET
		list = append(list, rr)
	}
	return list
}

// has reports whether a record is one of the host's.
func (h *Host) has(rr dns.RR) bool {
	key := keyOf(rr)
	return slices.ContainsFunc(h.records(h.addrs, ttl), func(own dns.RR) bool { return keyOf(own) == key })
}

// keyOf identifies a record by name, type and data.
func keyOf(rr dns.RR) string {
	head := rr.Header()
	return dns.CanonicalName(head.Name) + dns.Type(head.Rrtype).String() + string(data(rr))
}

// data is the data of a record as on the wire, uncompressed and in lower case where it is a name.
func data(rr dns.RR) []byte {
	if p, ok := rr.(*dns.PTR); ok {
		return []byte(strings.ToLower(p.Ptr))
	}
	b := make([]byte, dns.Len(rr)+1)
	end, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil {
		return nil // it was received or made here, so that it can be packed
	}
	head, err := dns.PackDomainName(rr.Header().Name, make([]byte, len(b)), 0, nil, false)
	if err != nil {
		return nil
	}
	return b[head+10 : end] // behind type, class, TTL and length
}

// compare orders the records of two hosts that probe for the same name at the same time: the later ones win (RFC 6762 section 8.2.1).
func compare(a, b []dns.RR) int {
	order := func(x, y dns.RR) int {
		return cmp.Or(cmp.Compare(x.Header().Class&^topBit, y.Header().Class&^topBit), cmp.Compare(x.Header().Rrtype, y.Header().Rrtype),
			bytes.Compare(data(x), data(y)))
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.CompareFunc(a, b, order)
}

// all notes that records are sent to the group now, and returns them.
func (h *Host) all(now time.Duration, records []dns.RR) []dns.RR {
	for _, rr := range records {
		h.last[keyOf(rr)] = now
	}
	return records
}

// since is the time since a record was sent to the group.
func (h *Host) since(now time.Duration, rr dns.RR) time.Duration {
	at, ok := h.last[keyOf(rr)]
	if !ok {
		return never
	}
	return now - at
}
