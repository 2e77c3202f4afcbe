package dns

import (
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Answer is what the servers say to a question.
type Answer struct {
	Name      string           // the name that has the records: the asked one, or the one at the end of the CNAME chain. In lower case, with a dot
	Records   []Record         // the CNAME chain, then the records of the asked type
	RCode     dnsmessage.RCode // success or NXDOMAIN
	Authentic bool             // with Settings.TrustAD: the server has verified the signatures

	data     int           // index of the first record behind the chain
	lifetime time.Duration // how long the answer may be used; 0: once
}

// Data returns the records of the asked type, without the CNAME chain. The slice is the Answer's own.
func (a *Answer) Data() []Record { return a.Records[a.data:] }

// maxChain bounds the names of a CNAME chain, over all messages.
const maxChain = 16

// merge adds what a reply says about the name at the end of the answer so far: the CNAME chain from there, and the records of
// the type. Records of other names or types in the message do not count (RFC 2181 section 5.4.1). It reports whether the chain
// ends at a name about which the reply says nothing, so that it has to be asked for; a chain that is a loop or too long is
// errChain.
func (a *Answer) merge(m *reply, typ dnsmessage.Type) (open bool, err error) {
	before := a.data
	for !a.take(m, typ) {
		if a.data == maxChain {
			return false, errChain
		}
		target, isAlias := a.alias(m)
		if !isAlias {
			a.RCode = m.rcode
			return a.data > before && m.rcode == dnsmessage.RCodeSuccess && !m.soa, nil
		}
		if slices.ContainsFunc(a.Records, func(r Record) bool { return r.Name == target }) {
			return false, errChain
		}
		a.Name = target
	}
	return false, nil
}

// take adds the records of the type that the answer's name has.
func (a *Answer) take(m *reply, typ dnsmessage.Type) bool {
	for _, r := range m.answers {
		if r.Name == a.Name && (r.Type == typ || typ == dnsmessage.TypeALL) {
			a.add(r)
		}
	}
	return len(a.Records) > a.data
}

// alias follows the CNAME record of the answer's name, if it has one.
func (a *Answer) alias(m *reply) (target string, ok bool) {
	for _, r := range m.answers {
		if body, isAlias := r.Data.(*dnsmessage.CNAMEResource); isAlias && r.Name == a.Name {
			a.add(r)
			a.data = len(a.Records)
			return fold(body.CNAME.String()), true
		}
	}
	return "", false
}

// add adds a record. The answer holds as long as the record that holds shortest (RFC 2181 section 5.2).
func (a *Answer) add(r Record) {
	if len(a.Records) == 0 || r.TTL < a.lifetime {
		a.lifetime = r.TTL
	}
	a.Records = append(a.Records, r)
}

// deny limits the lifetime of a negative answer: without an SOA record it may not be kept (RFC 2308 section 5).
func (a *Answer) deny(m *reply) {
	switch {
	case len(a.Data()) > 0:
	case !m.soa:
		a.lifetime = 0
	case a.data == 0 || m.negative < a.lifetime:
		a.lifetime = m.negative
	}
}
