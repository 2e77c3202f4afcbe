package dig

import (
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// ErrNoReply is the failure of all servers, which the output has reported.
var ErrNoReply = errors.New("no servers could be reached")

// errNoServer is the lack of a server to ask.
var errNoServer = errors.New("the stack knows no name server; name one")

// UsageError is a mistake in the words of a command.
type UsageError struct{ error }

func misuse(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// NameError is a name that DNS cannot have.
type NameError string

// Error implements error.
func (e NameError) Error() string { return fmt.Sprintf("'%s' is not a legal name", string(e)) }

// Stack is the part of a stack that a query needs.
type Stack struct {
	Dial    Dial
	Servers []netip.AddrPort // of its resolver
	Search  []string         // domains for host
	Ndots   int              // names with fewer dots are tried in Search first
}

// servers are those to ask: the named one, else the stack's.
func (s *Stack) servers(named string, port uint16) ([]server, error) {
	if named != "" {
		if port == 0 {
			port = Port
		}
		return []server{{name: named, port: port}}, nil
	}
	var list []server
	for _, a := range s.Servers {
		one := server{name: a.Addr().String(), port: a.Port()}
		if port != 0 {
			one.port = port
		} else if one.port == 0 {
			one.port = Port
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		return nil, errNoServer
	}
	return list, nil
}

// Query is a command line of dig.
type Query struct {
	Stack
	Family string // "", "4" or "6": the IP version to reach servers
	Server string // "": those of the stack
	Port   uint16 // 0: the usual one
	Line   string // the arguments, for the first line of the output

	name         string
	qtype, class uint16
	options
}

// Parse reads the arguments: @SERVER, NAME, TYPE, CLASS and +OPTION, in any order. Without a name the query is for the servers of the
// root. Errors are UsageErrors and NameErrors.
func Parse(words []string) (*Query, error) {
	q := &Query{options: defaults(), class: dns.ClassINET}
	for _, word := range words {
		if err := q.word(word); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (q *Query) word(word string) error {
	if option, ok := strings.CutPrefix(word, "+"); ok {
		if err := q.options.set(option); err != nil {
			return UsageError{err}
		}
		return nil
	}
	if name, ok := strings.CutPrefix(word, "@"); ok {
		q.Server = name
		return nil
	}
	if t, ok := typeNumber(word); ok {
		q.qtype = t
		return nil
	}
	if c, ok := classNumber(word); ok {
		q.class = c
		return nil
	}
	return q.SetName(word)
}

// SetName sets the name to ask for. There is one name.
func (q *Query) SetName(name string) error {
	if q.name != "" {
		return misuse("%s: one name at a time; the first is %s", name, q.name)
	}
	full, err := fullName(name)
	q.name = full
	return err
}

// fullName is a name with a dot at its end, in the one form that the library gives to names on the wire: \DDD is any byte.
func fullName(name string) (string, error) {
	wire := make([]byte, 255)
	if _, err := dns.PackDomainName(dns.Fqdn(name), wire, 0, nil, false); err != nil {
		return "", NameError(name)
	}
	full, _, err := dns.UnpackDomainName(wire, 0)
	return full, err
}

// SetReverse sets the reverse name of an address as the name, and PTR as the type.
func (q *Query) SetReverse(address string) error {
	name, err := dns.ReverseAddr(address)
	if err != nil {
		return misuse("-x %s: not an address", address)
	}
	q.qtype = dns.TypePTR
	return q.SetName(name)
}

// SetType sets the type, which otherwise is A, or NS without a name.
func (q *Query) SetType(name string) error {
	t, ok := typeNumber(name)
	if !ok {
		return misuse("-t %s: not a type of records", name)
	}
	q.qtype = t
	return nil
}

// SetClass sets the class, which otherwise is IN.
func (q *Query) SetClass(name string) error {
	c, ok := classNumber(name)
	if !ok {
		return misuse("-c %s: not a class of records", name)
	}
	q.class = c
	return nil
}

// typeNumber reads the name of a type, or TYPE and its number.
func typeNumber(name string) (uint16, bool) {
	name = strings.ToUpper(name)
	if t, ok := dns.StringToType[name]; ok && t != dns.TypeNone && t != dns.TypeReserved {
		return t, true
	}
	return numbered("TYPE", name)
}

func classNumber(name string) (uint16, bool) {
	name = strings.ToUpper(name)
	if c, ok := dns.StringToClass[name]; ok {
		return c, true
	}
	return numbered("CLASS", name)
}

func numbered(prefix, name string) (uint16, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	n, err := number(digits, "", 0, 1<<16-1)
	return uint16(n), ok && err == nil
}

// complete fills in the defaults.
func (q *Query) complete() {
	if q.name == "" {
		q.name = "."
		if q.qtype == dns.TypeNone {
			q.qtype = dns.TypeNS
		}
	}
	if q.qtype == dns.TypeNone {
		q.qtype = dns.TypeA
	}
	if q.bufsize < dns.MinMsgSize {
		q.bufsize = bufsize
	}
	if q.dnssec && q.edns < 0 {
		q.edns = 0
	}
	q.tcp = q.tcp || q.qtype == dns.TypeANY && !q.ignore
}

// ask is a message that asks for records.
func (q *Query) ask(name string, qtype uint16, recurse bool) *dns.Msg {
	m := new(dns.Msg)
	m.Id = dns.Id()
	m.RecursionDesired, m.AuthenticatedData, m.Authoritative, m.CheckingDisabled = recurse, q.ad, q.aa, q.cd
	m.Question = []dns.Question{{Name: name, Qtype: qtype, Qclass: q.class}}
	if q.edns < 0 {
		return m
	}
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	opt.SetUDPSize(q.bufsize)
	opt.SetVersion(uint8(q.edns))
	if q.dnssec {
		opt.SetDo()
	}
	if q.nsid {
		opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	}
	if q.cookie {
		var client [clientCookie / 2]byte
		_, _ = crand.Read(client[:]) // it never fails
		opt.Option = append(opt.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(client[:])})
	}
	m.Extra = []dns.RR{opt}
	return m
}

// IsType reports whether a word is the type of records.
func IsType(word string) bool {
	_, ok := typeNumber(word)
	return ok
}
