package dns

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// question is what a server is asked; the class is always IN.
type question struct {
	name string // folded
	typ  dnsmessage.Type
}

// receiveSize is the largest answer over UDP that the resolver announces, in bytes: it avoids fragments (RFC 9715).
const receiveSize = 1232

// query is the message for q. A server that speaks EDNS gets an OPT record (RFC 6891 section 6.1.1).
func (q question) query(id uint16, edns, ad bool) ([]byte, error) {
	name, err := dnsmessage.NewName(q.name)
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true, AuthenticData: ad},
		Questions: []dnsmessage.Question{{Name: name, Type: q.typ, Class: dnsmessage.ClassINET}},
	}
	if edns {
		opt := dnsmessage.Resource{Body: &dnsmessage.OPTResource{}}
		if err := opt.Header.SetEDNS0(receiveSize, 0, false); err != nil {
			return nil, err
		}
		m.Additionals = append(m.Additionals, opt)
	}
	return m.Pack()
}

// reply is a server's answer to a question, parsed and checked.
type reply struct {
	rcode     dnsmessage.RCode
	truncated bool
	authentic bool
	lame      bool // the server neither knows the answer nor looks for it
	answers   []Record
	soa       bool          // whether the answer has an SOA record for the name
	negative  time.Duration // for how long a negative answer holds (RFC 2308 section 5), if soa
}

// Errors of parse.
var (
	errMismatch  = errors.New("not an answer to this question")
	errMalformed = errors.New("malformed answer")
)

// parse reads the answer to a query. It fails with errMismatch if the message answers something else, which can be a forgery
// (RFC 5452 section 9.1), and with errMalformed if the rest of it is wrong.
func (q question) parse(msg []byte, id uint16) (*reply, error) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return nil, errMismatch
	}
	if asked, err := p.AllQuestions(); err != nil || !q.repeated(h.RCode, asked) {
		return nil, errMismatch
	}
	if err := skipAll(p); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	m := &reply{rcode: h.RCode, truncated: h.Truncated, authentic: h.AuthenticData}
	if m.truncated {
		return m, nil // the records may be any part of the answer (RFC 2181 section 9)
	}
	if err := m.records(&p, q); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	m.lame = m.rcode == dnsmessage.RCodeSuccess && len(m.answers) == 0 && !m.soa && !h.Authoritative && !h.RecursionAvailable
	return m, nil
}

// repeated reports whether a message repeats the question. A server that cannot read the query may leave it out.
func (q question) repeated(rcode dnsmessage.RCode, asked []dnsmessage.Question) bool {
	if len(asked) == 0 {
		return noEDNS(rcode)
	}
	return len(asked) == 1 && asked[0].Type == q.typ && asked[0].Class == dnsmessage.ClassINET && fold(asked[0].Name.String()) == q.name
}

// noEDNS reports whether a server refuses a query perhaps because of its OPT record (RFC 6891 section 7).
func noEDNS(rcode dnsmessage.RCode) bool {
	return rcode == dnsmessage.RCodeFormatError || rcode == dnsmessage.RCodeNotImplemented
}

// skipAll checks that all records are inside the message.
func skipAll(p dnsmessage.Parser) error {
	for _, skip := range []func() error{p.SkipAllAnswers, p.SkipAllAuthorities, p.SkipAllAdditionals} {
		if err := skip(); err != nil {
			return err
		}
	}
	return nil
}

// records reads the records that the resolver uses: the answers, the SOA record that dates a negative answer, and the OPT
// record's bits of the code.
func (m *reply) records(p *dnsmessage.Parser, q question) error {
	err := each(p.AnswerHeader, p.SkipAnswer, func(h dnsmessage.ResourceHeader) (bool, error) {
		if h.Class != dnsmessage.ClassINET || badLength(&h) {
			return false, nil
		}
		r, err := p.Answer()
		m.answers = append(m.answers, Record{fold(h.Name.String()), h.Type, ttl(h.TTL), r.Body})
		return true, err
	})
	if err != nil {
		return err
	}
	err = each(p.AuthorityHeader, p.SkipAuthority, func(h dnsmessage.ResourceHeader) (bool, error) {
		if h.Type != dnsmessage.TypeSOA || h.Class != dnsmessage.ClassINET || m.soa {
			return false, nil
		}
		r, err := p.SOAResource()
		m.soa, m.negative = true, min(ttl(h.TTL), ttl(r.MinTTL))
		return true, err
	})
	if err != nil {
		return err
	}
	return each(p.AdditionalHeader, p.SkipAdditional, func(h dnsmessage.ResourceHeader) (bool, error) {
		if h.Type == dnsmessage.TypeOPT {
			m.rcode = h.ExtendedRCode(m.rcode)
		}
		return false, nil
	})
}

// each calls take with the header of each record of a section, and skips the record unless take has read it.
func each(header func() (dnsmessage.ResourceHeader, error), skip func() error, take func(dnsmessage.ResourceHeader) (bool, error)) error {
	for {
		h, err := header()
		if err == dnsmessage.ErrSectionDone {
			return nil
		}
		if err != nil {
			return err
		}
		taken, err := take(h)
		if err == nil && !taken {
			err = skip()
		}
		if err != nil {
			return err
		}
	}
}

// badLength reports whether the data of an address record has not the length of an address.
func badLength(h *dnsmessage.ResourceHeader) bool {
	return h.Type == dnsmessage.TypeA && h.Length != 4 || h.Type == dnsmessage.TypeAAAA && h.Length != 16
}

// ttl is the time that a record holds; a number with the top bit set counts as zero (RFC 2181 section 8).
func ttl(seconds uint32) time.Duration {
	if seconds > math.MaxInt32 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
