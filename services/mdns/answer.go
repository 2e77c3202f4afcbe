package mdns

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// truncated is a query whose known answers continue in further messages (RFC 6762 section 7.2).
type truncated struct {
	dns.Msg
	from Source
	due  time.Duration
}

// query handles a query: a probe of another host for the same name, a question, or more known answers.
func (h *Host) query(now time.Duration, m *dns.Msg, from Source) {
	if h.phase == probing {
		h.tie(now, m)
		return
	}
	for _, t := range h.waiting {
		if t.from.Addr == from.Addr && len(m.Question) == 0 {
			t.Answer = append(t.Answer, m.Answer...)
			return
		}
	}
	if m.Truncated && len(h.waiting) < maxWaiting {
		h.waiting = append(h.waiting, &truncated{*m, from, now + moreKnownAnswer + h.random(100*time.Millisecond)})
		slices.SortFunc(h.waiting, func(a, b *truncated) int { return int(a.due - b.due) })
		return
	}
	h.respond(now, m, from)
}

// tie decides between two hosts that probe for the same name: one whose records are earlier waits (RFC 6762 section 8.2).
func (h *Host) tie(now time.Duration, m *dns.Msg) {
	var theirs []dns.RR
	for _, rr := range m.Ns {
		if strings.EqualFold(rr.Header().Name, h.Name()) {
			theirs = append(theirs, rr)
		}
	}
	if len(theirs) > 0 && compare(h.proposed(), theirs) < 0 {
		h.probe(now + tieWait)
	}
}

// respond answers the questions about the host. A client that does not use the port of multicast DNS gets what a plain DNS client
// expects (RFC 6762 section 6.7).
func (h *Host) respond(now time.Duration, m *dns.Msg, from Source) {
	legacy := from.Addr.Port() != Port
	var group, direct []dns.RR
	for _, q := range m.Question {
		for _, rr := range h.answers(q) {
			switch {
			case known(rr, m.Answer):
			case legacy, (q.Qclass&topBit != 0 || from.Direct) && h.since(now, rr) < ttl*time.Second/4:
				direct = add(direct, rr)
			case h.since(now, rr) >= quiet(m): // section 6: not more often
				group = add(group, rr)
			}
		}
	}
	if len(direct) > 0 {
		h.send(h.reply(m, direct, legacy), from)
	}
	if len(group) > 0 {
		h.announce(h.all(now, group))
		h.out[len(h.out)-1].Extra = h.additional(group)
	}
}

// quiet is the time for which a record is not sent to the group again; a probe is answered sooner (RFC 6762 section 6).
func quiet(m *dns.Msg) time.Duration {
	if len(m.Ns) > 0 {
		return probeWait
	}
	return time.Second
}

func (h *Host) send(m *dns.Msg, to Source) { h.out = append(h.out, Packet{m, to.Addr}) }

// reply is a direct answer.
func (h *Host) reply(m *dns.Msg, records []dns.RR, legacy bool) *dns.Msg {
	r := new(dns.Msg)
	r.Response, r.Authoritative = true, true
	r.Answer, r.Extra = records, h.additional(records)
	if !legacy {
		return r
	}
	r.Id, r.RecursionDesired, r.Question, r.Compress = m.Id, m.RecursionDesired, m.Question, true
	for _, rr := range slices.Concat(r.Answer, r.Extra) {
		head := rr.Header()
		head.Class &^= topBit // which such a client does not know
		head.Ttl = min(head.Ttl, 10)
	}
	return r
}

// answers are the host's records for a question: an NSEC record if the name has none of the type.
func (h *Host) answers(q dns.Question) (list []dns.RR) {
	if class := q.Qclass &^ topBit; class != dns.ClassINET && class != dns.ClassANY {
		return nil
	}
	mine := false
	for _, rr := range h.records(h.addrs, ttl) {
		if head := rr.Header(); strings.EqualFold(head.Name, q.Name) {
			mine = true
			if q.Qtype == head.Rrtype || q.Qtype == dns.TypeANY {
				list = append(list, rr)
			}
		}
	}
	if mine && len(list) == 0 && strings.EqualFold(q.Name, h.Name()) {
		list = append(list, h.absence())
	}
	return list
}

// additional are the records that a client of the name will ask for next: its other addresses, or that it has none (RFC 6762 sections
// 6 and 6.1).
func (h *Host) additional(sent []dns.RR) (list []dns.RR) {
	if !slices.ContainsFunc(sent, func(rr dns.RR) bool { return strings.EqualFold(rr.Header().Name, h.Name()) }) {
		return nil
	}
	for _, a := range h.addrs {
		if rr := addressRecord(h.Name(), a, ttl); !contains(sent, rr) {
			list = append(list, rr)
		}
	}
	if none := h.absence(); len(none.(*dns.NSEC).TypeBitMap) == 1 && !contains(sent, none) {
		list = append(list, none)
	}
	return list
}

func contains(list []dns.RR, rr dns.RR) bool {
	return slices.ContainsFunc(list, func(other dns.RR) bool { return keyOf(other) == keyOf(rr) })
}

func add(list []dns.RR, rr dns.RR) []dns.RR {
	if contains(list, rr) {
		return list
	}
	return append(list, rr)
}

// known reports whether the client has a record already, for at least half of its time (RFC 6762 section 7.1).
func known(rr dns.RR, answers []dns.RR) bool {
	return slices.ContainsFunc(answers, func(has dns.RR) bool { return keyOf(has) == keyOf(rr) && has.Header().Ttl >= ttl/2 })
}
