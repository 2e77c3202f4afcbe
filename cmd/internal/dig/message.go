package dig

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/miekg/dns"
)

// sections says which parts of a message are shown.
type sections struct {
	comments, question, answer, authority, additional bool
	showing
}

// message prints a message. what says which one it is, for dig, and sent is the query if it is an answer.
func (s sections) message(w io.Writer, what string, m *dns.Msg, sent *dns.Msg) {
	if s.comments {
		if what != "" {
			fmt.Fprintf(w, ";; %s\n", what)
			localWarning(w, m)
		}
		header(w, m)
		if what != "" && sent != nil && m.RecursionDesired && !m.RecursionAvailable {
			fmt.Fprintln(w, ";; WARNING: recursion requested but not available")
		}
		fmt.Fprintln(w)
		if opt := m.IsEdns0(); opt != nil {
			pseudosection(w, m, opt, sent)
		}
	}
	if s.question && len(m.Question) > 0 {
		s.title(w, "QUESTION")
		for _, q := range m.Question {
			fmt.Fprintf(w, ";%s\n", s.showing.question(q))
		}
		s.end(w)
	}
	s.records(w, s.answer, "ANSWER", m.Answer)
	s.records(w, s.authority, "AUTHORITY", m.Ns)
	s.records(w, s.additional, "ADDITIONAL", m.Extra)
}

func (s sections) title(w io.Writer, name string) {
	if s.comments {
		fmt.Fprintf(w, ";; %s SECTION:\n", name)
	}
}

func (s sections) end(w io.Writer) {
	if s.comments {
		fmt.Fprintln(w)
	}
}

func (s sections) records(w io.Writer, show bool, name string, list []dns.RR) {
	begun := false
	for _, rr := range list {
		if rr.Header().Rrtype == dns.TypeOPT || !show {
			continue
		}
		if !begun {
			s.title(w, name)
			begun = true
		}
		fmt.Fprintln(w, s.record(rr))
	}
	if begun {
		s.end(w)
	}
}

// localWarning says that a name belongs to multicast DNS.
func localWarning(w io.Writer, m *dns.Msg) {
	if len(m.Question) > 0 && dns.IsSubDomain("local.", strings.ToLower(m.Question[0].Name)) {
		fmt.Fprintln(w, ";; WARNING: .local is reserved for Multicast DNS\n;; You are currently testing what happens when an mDNS query is leaked to DNS")
	}
}

// header prints the header of a message.
func header(w io.Writer, m *dns.Msg) {
	fmt.Fprintf(w, ";; ->>HEADER<<- opcode: %s, status: %s, id: %d\n", opcodeName(m.Opcode), rcodeName(m.Rcode), m.Id)
	fmt.Fprint(w, ";; flags:")
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"qr", m.Response}, {"aa", m.Authoritative}, {"tc", m.Truncated}, {"rd", m.RecursionDesired}, {"ra", m.RecursionAvailable},
		{"ad", m.AuthenticatedData}, {"cd", m.CheckingDisabled},
	} {
		if f.set {
			fmt.Fprint(w, " ", f.name)
		}
	}
	if m.Zero {
		fmt.Fprint(w, "; MBZ: 0x4")
	}
	fmt.Fprintf(w, "; QUERY: %d, ANSWER: %d, AUTHORITY: %d, ADDITIONAL: %d\n", len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra))
}

func opcodeName(code int) string {
	if name, ok := dns.OpcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("RESERVED%d", code)
}

// rcodeName is the name of a status.
func rcodeName(code int) string {
	switch name, ok := dns.RcodeToString[code]; {
	case code == dns.RcodeBadVers: // also the number of BADSIG
		return "BADVERS"
	case ok:
		return name
	}
	return fmt.Sprintf("RESERVED%d", code)
}

// pseudosection prints what the OPT record says (RFC 6891); sent is the query.
func pseudosection(w io.Writer, m *dns.Msg, opt *dns.OPT, sent *dns.Msg) {
	flags := ""
	if opt.Do() {
		flags = " do"
	}
	if z := opt.Z(); z != 0 {
		flags += fmt.Sprintf("; MBZ: 0x%.4x", z)
	}
	fmt.Fprintf(w, ";; OPT PSEUDOSECTION:\n; EDNS: version: %d, flags:%s; udp: %d\n", opt.Version(), flags, opt.UDPSize())
	for _, option := range opt.Option {
		fmt.Fprintf(w, "; %s\n", optionText(option, sent))
	}
}

// optionText is the line of an option of EDNS.
func optionText(option dns.EDNS0, sent *dns.Msg) string {
	switch o := option.(type) {
	case *dns.EDNS0_COOKIE:
		return "COOKIE: " + o.Cookie + verdict(o.Cookie, sent)
	case *dns.EDNS0_NSID:
		b, _ := hex.DecodeString(o.Nsid) // it was encoded when the message was read
		return fmt.Sprintf("NSID: % x (%q)", b, printable(b))
	case *dns.EDNS0_EDE:
		text := fmt.Sprintf("EDE: %d", o.InfoCode)
		if name, ok := dns.ExtendedErrorCodeToString[o.InfoCode]; ok {
			text += " (" + name + ")"
		}
		if o.ExtraText != "" {
			text += ": (" + printable([]byte(o.ExtraText)) + ")"
		}
		return text
	case *dns.EDNS0_SUBNET:
		return fmt.Sprintf("CLIENT-SUBNET: %s/%d/%d", o.Address, o.SourceNetmask, o.SourceScope)
	case *dns.EDNS0_LOCAL:
		return fmt.Sprintf("OPT=%d: % x (%q)", o.Code, o.Data, printable(o.Data))
	}
	return fmt.Sprintf("OPT=%d: %s", option.Option(), printable([]byte(option.String())))
}

// verdict says whether a server returned the cookie of the query (RFC 7873 section 5.3).
func verdict(cookie string, sent *dns.Msg) string {
	switch {
	case sent == nil:
		return ""
	case len(cookie) < 32:
		return " (echoed)"
	case strings.HasPrefix(cookie, cookieOf(sent)[:min(clientCookie, len(cookieOf(sent)))]):
		return " (good)"
	}
	return " (bad)"
}

// cookieOf is the client cookie in a query, in hexadecimal.
func cookieOf(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, option := range opt.Option {
			if c, ok := option.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// printable is a text with dots for its control characters.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(b))
}
