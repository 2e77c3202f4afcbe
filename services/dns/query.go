package dns

import (
	"github.com/miekg/dns"
)

// query is a received query.
type query struct {
	dns.Msg
	malformed bool
	opt       *dns.OPT // nil: the client has no EDNS
	size      int      // of the largest answer over UDP
}

// headerLen is the length of a message's header (RFC 1035 section 4.1.1).
const headerLen = 12

// read parses a query. The result is nil for a message that gets no answer: one that is no query, because a reply to a reply could go on
// for ever, and one without a header.
func read(b []byte) *query {
	if len(b) < headerLen || b[2]&0x80 != 0 {
		return nil
	}
	q := &query{size: dns.MinMsgSize}
	if err := q.Unpack(b); err != nil {
		q.malformed = true // with what was read before the error: at least the header
		q.Question = nil
		return q
	}
	for _, rr := range q.Extra {
		if opt, ok := rr.(*dns.OPT); ok {
			q.malformed = q.malformed || q.opt != nil || opt.Hdr.Name != "."
			q.opt = opt
		}
	}
	if q.opt != nil {
		q.size = min(max(q.size, int(q.opt.UDPSize())), ednsSize)
	}
	return q
}

// fault is the error code for a query that no server could answer; 0: it is well-formed.
func (q *query) fault() int {
	switch {
	case q.malformed:
		return dns.RcodeFormatError
	case q.Opcode != dns.OpcodeQuery:
		return dns.RcodeNotImplemented
	case len(q.Question) != 1:
		return dns.RcodeFormatError
	case q.opt != nil && q.opt.Version() > 0:
		return dns.RcodeBadVers
	case q.Question[0].Qclass != dns.ClassINET, q.Question[0].Qtype == dns.TypeAXFR, q.Question[0].Qtype == dns.TypeIXFR:
		return dns.RcodeRefused
	}
	return dns.RcodeSuccess
}

// answer is an answer without records.
func (q *query) answer(rcode int) *dns.Msg {
	m := &dns.Msg{Question: q.Question, Compress: true}
	m.Id, m.Response, m.Opcode, m.RecursionDesired, m.CheckingDisabled = q.Id, true, q.Opcode, q.RecursionDesired, q.CheckingDisabled
	m.Rcode = rcode
	return m
}

// finish encodes an answer of at most size bytes: it has an OPT record if the query has one (RFC 6891 section 6.1.1), and the bit TC if
// records had to be left out.
func (q *query) finish(m *dns.Msg, size int) []byte {
	if q.opt != nil {
		opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
		opt.SetUDPSize(ednsSize)
		opt.SetDo(q.opt.Do())
		m.Extra = append(m.Extra, opt)
	}
	m.Truncate(size)
	b, err := m.Pack()
	if err != nil { // a record of a server that cannot be encoded again
		failed := q.answer(dns.RcodeServerFailure)
		b, _ = failed.Pack() // it has only the question, which was read
	}
	return b
}
