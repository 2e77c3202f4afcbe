package dig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Host is a command line of host.
type Host struct {
	Stack
	Name      string // or an address
	Type      string // "": A, AAAA and MX, of an address PTR
	Class     string // "": IN
	Server    string // "": those of the stack
	Family    string // "", "4" or "6": the IP version to reach servers
	Port      uint16 // 0: the usual one
	Wait      time.Duration
	Retries   int
	TCP       bool
	All       bool // ANY, verbose
	Verbose   bool
	NoRecurse bool
}

// errFailed is a lookup that failed; the output says how.
var errFailed = errors.New("not found")

// Failed reports whether err is a failure that the output of Host.Run explains.
func Failed(err error) bool { return errors.Is(err, errFailed) || errors.Is(err, ErrNoReply) }

// hostRun is a Host under way.
type hostRun struct {
	*Host
	*transport
	out     io.Writer
	servers []server
	class   uint16
	listed  bool // the server has been shown
}

// Run looks the name up and prints its records. Errors are UsageErrors, NameErrors, those for which Failed is true, those of a
// server's name, and the end of ctx.
func (h *Host) Run(ctx context.Context, out io.Writer) error {
	types, names, err := h.questions()
	if err != nil {
		return err
	}
	r := &hostRun{Host: h, out: out, class: dns.ClassINET}
	if c, ok := classNumber(h.Class); ok {
		r.class = c
	} else if h.Class != "" {
		return misuse("invalid class: %s", h.Class)
	}
	if r.servers, err = h.servers(h.Server, h.Port); err != nil {
		return err
	}
	verbose := h.Verbose || h.All
	r.transport = &transport{
		dial: h.Dial, report: out, comments: verbose, family: h.Family, timeout: h.Wait, tcp: h.TCP || types[0] == dns.TypeANY,
	}
	r.Verbose = verbose
	return r.first(ctx, names, types)
}

// questions are the types to ask for, and the names that the user's name can stand for.
func (h *Host) questions() (types []uint16, names []string, err error) {
	if reverse, err := dns.ReverseAddr(h.Name); err == nil {
		types, names = []uint16{dns.TypePTR}, []string{reverse}
	} else {
		if _, err := fullName(h.Name); err != nil {
			return nil, nil, err
		}
		types, names = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX}, h.candidates()
	}
	if h.All {
		types = []uint16{dns.TypeANY}
	}
	if h.Type != "" {
		t, ok := typeNumber(h.Type)
		if !ok {
			return nil, nil, misuse("invalid type: %s", h.Type)
		}
		types = []uint16{t}
	}
	return types, names, nil
}

// candidates are the names to try, as in resolv.conf(5).
func (h *Host) candidates() []string {
	if strings.HasSuffix(h.Name, ".") {
		return []string{h.Name}
	}
	var list []string
	for _, domain := range h.Search {
		list = append(list, dns.Fqdn(h.Name+"."+strings.TrimSuffix(domain, ".")))
	}
	if strings.Count(h.Name, ".") < max(h.Ndots, 1) {
		return append(list, h.Name)
	}
	return append([]string{h.Name}, list...)
}

// first looks up the first of the names that exists.
func (r *hostRun) first(ctx context.Context, names []string, types []uint16) error {
	for i, name := range names {
		got, err := r.lookup(ctx, name, types[0])
		if err != nil {
			return err
		}
		if got.Rcode == dns.RcodeNameError && i < len(names)-1 {
			continue
		}
		if err := r.show(got, name, len(types) > 1); err != nil {
			return err
		}
		return r.rest(ctx, chased(name, got.Answer), types[1:])
	}
	return nil
}

// rest looks up the other types of a name that exists.
func (r *hostRun) rest(ctx context.Context, name string, types []uint16) error {
	for _, t := range types {
		got, err := r.lookup(ctx, name, t)
		if err != nil {
			return err
		}
		if err := r.show(got, name, true); err != nil {
			return err
		}
	}
	return nil
}

// chased is the name at the end of a chain of aliases.
func chased(name string, answer []dns.RR) string {
	for range answer {
		for _, rr := range answer {
			if alias, ok := rr.(*dns.CNAME); ok && strings.EqualFold(alias.Hdr.Name, dns.Fqdn(name)) {
				name = alias.Target
			}
		}
	}
	return name
}

// lookup asks the servers in turn, and takes a failure that one reports only if the others have no better answer.
func (r *hostRun) lookup(ctx context.Context, name string, qtype uint16) (*reply, error) {
	if r.Verbose {
		fmt.Fprintf(r.out, "Trying \"%s\"\n", strings.TrimSuffix(name, "."))
	}
	full, err := fullName(name)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	m.Id, m.RecursionDesired = dns.Id(), !r.NoRecurse
	m.Question = []dns.Question{{Name: full, Qtype: qtype, Qclass: r.class}}
	var failed *reply
	for range r.Retries + 1 {
		for _, s := range r.servers {
			got, err := r.exchange(ctx, s, m)
			var setup *setupError
			switch {
			case err == nil && (got.Rcode == dns.RcodeSuccess || got.Rcode == dns.RcodeNameError):
				return got, nil
			case err == nil && failed == nil:
				failed = got
			case ctx.Err() != nil || errors.As(err, &setup) && setup.fatal:
				return nil, err
			}
		}
		if failed != nil {
			return failed, nil
		}
	}
	fmt.Fprintf(r.out, ";; %s\n", ErrNoReply)
	return nil, ErrNoReply
}

// show prints an answer; quiet leaves out that there is no record.
func (r *hostRun) show(got *reply, name string, quiet bool) error {
	if r.Server != "" && !r.listed {
		r.listed = true
		fmt.Fprintf(r.out, "Using domain server:\nName: %s\nAddress: %s\nAliases: \n\n", got.server.name, got.source())
	}
	plain := strings.TrimSuffix(ownerName(got.question().Name), ".")
	if got.Rcode != dns.RcodeSuccess {
		if got.Rcode == dns.RcodeNameError {
			plain = r.asGiven(name)
		}
		fmt.Fprintf(r.out, "Host %s not found: %d(%s)\n", plain, got.Rcode, rcodeName(got.Rcode))
		return errFailed
	}
	if r.Verbose {
		sections{comments: true, question: true, answer: true, authority: true, additional: true}.message(r.out, "", got.Msg, got.Msg)
		fmt.Fprintf(r.out, "Received %d bytes from %s in %d ms\n", got.size, got.source(), got.took.Milliseconds())
		return nil
	}
	found := false
	for _, rr := range got.Answer {
		fmt.Fprintln(r.out, sentence(rr))
		found = found || rr.Header().Rrtype == got.question().Qtype || got.question().Qtype == dns.TypeANY
	}
	if !found && !quiet {
		fmt.Fprintf(r.out, "%s has no %s record\n", plain, typeName(got.question().Qtype))
	}
	return nil
}

// asGiven is the name that the user gave, or the reverse name of the address.
func (r *hostRun) asGiven(name string) string {
	if _, err := dns.ReverseAddr(r.Name); err == nil {
		return name
	}
	return r.Name
}

// question is the question that was answered.
func (r *reply) question() dns.Question {
	if len(r.Question) > 0 {
		return r.Question[0]
	}
	return dns.Question{}
}

// verbs are what stands between the name and the data of a record.
var verbs = map[uint16]string{
	dns.TypeA: "has address", dns.TypeNS: "name server", dns.TypeCNAME: "is an alias for", dns.TypePTR: "domain name pointer",
	dns.TypeHINFO: "host information", dns.TypeMX: "mail is handled by", dns.TypeTXT: "descriptive text", dns.TypeX25: "x25 address",
	dns.TypeISDN: "ISDN address", dns.TypeSIG: "has signature", dns.TypeKEY: "has key", dns.TypeAAAA: "has IPv6 address",
	dns.TypeLOC: "location",
}

// sentence says what a record says.
func sentence(rr dns.RR) string {
	h := rr.Header()
	verb, ok := verbs[h.Rrtype]
	if !ok {
		verb = "has " + typeName(h.Rrtype) + " record"
	}
	return strings.TrimSuffix(ownerName(h.Name), ".") + " " + verb + " " + rdata(rr)
}
