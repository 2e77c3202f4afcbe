package dig

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

const example = `
example.com. 300 IN A 192.0.2.1
example.com. 300 IN AAAA 2001:db8::1
example.com. 300 IN MX 10 mail.example.com.
example.com. 300 IN TXT "hello world" "two"
www.example.com. 300 IN CNAME example.com.
1.2.0.192.in-addr.arpa. 3600 IN PTR example.com.
_sip._tcp.example.com. 300 IN SRV 1 2 5060 sip.example.com.
only4.example.com. 300 IN A 192.0.2.4
`

// The output is dig's of BIND 9.18 for the same answers.
func TestOutput(t *testing.T) {
	w := world{here: zone(t, example)}
	for line, want := range map[string]string{
		"@192.0.2.53 example.com": `
; <<>> tunstack dig <<>> @192.0.2.53 example.com
; (1 server found)
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: *
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;example.com.			IN	A

;; ANSWER SECTION:
example.com.		300	IN	A	192.0.2.1

;; Query time: 0 msec
;; SERVER: 192.0.2.53#53(192.0.2.53) (UDP)
;; WHEN: *
;; MSG SIZE  rcvd: 67

`,
		"nosuch.example.com +noedns +tcp": `
; <<>> tunstack dig <<>> nosuch.example.com +noedns +tcp
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: *
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;nosuch.example.com.		IN	A

;; Query time: 0 msec
;; SERVER: 192.0.2.53#53(192.0.2.53) (TCP)
;; WHEN: *
;; MSG SIZE  rcvd: 36

`,
		"www.example.com +short":                           "example.com.\n192.0.2.1\n",
		"www.example.com +short +identify":                 "example.com. from server 192.0.2.53 in 0 ms.\n192.0.2.1 from server 192.0.2.53 in 0 ms.\n",
		"mx example.com +noall +answer":                    "example.com.		300	IN	MX	10 mail.example.com.\n",
		"example.com txt +noall +answer +nottlid":          "example.com.		IN	TXT	\"hello world\" \"two\"\n",
		"example.com txt +noall +answer +noclass":          "example.com.		300	TXT	\"hello world\" \"two\"\n",
		"example.com txt +noall +answer +noclass +nottlid": "example.com.		TXT	\"hello world\" \"two\"\n",
		"example.com +noall +question":                     ";example.com.			IN	A\n",
	} {
		out, err := run(t, w, strings.Fields(line)...)
		require.NoError(t, err, line)
		require.Equal(t, want, out, line)
	}
}

// Records have the columns and the notation of BIND.
func TestRecords(t *testing.T) {
	for text, want := range map[string]string{
		"abcdefghijk.example.com. 300 IN A 192.0.2.2":                                                                     "abcdefghijk.example.com. 300	IN	A	192.0.2.2",
		"1.2.0.192.in-addr.arpa. 3600 IN PTR example.com.":                                                                "1.2.0.192.in-addr.arpa.	3600	IN	PTR	example.com.",
		"averyveryverylongnameindeedxx.example.com. 300 IN A 192.0.2.2":                                                   "averyveryverylongnameindeedxx.example.com. 300 IN A 192.0.2.2",
		`a\ b.example.com. 1 CH TXT "x"`:                                                                                  "a\\032b.example.com.	1	CH	TXT	\"x\"",
		"x. 1 IN TYPE65280 \\# 4 0a000001":                                                                                "x.			1	IN	TYPE65280 \\# 4 0A000001",
		"x. 1 IN DS 20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d":                           "x.			1	IN	DS	20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237 C7F8EC8D",
		"x. 1 IN SVCB 1 . alpn=h2,h3 port=8004 ipv4hint=192.0.2.1":                                                        "x.			1	IN	SVCB	1 . alpn=\"h2,h3\" port=8004 ipv4hint=192.0.2.1",
		"8.b.d.0.1.0.0.2.ip6.arpa. 10800 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 10800":                      "8.b.d.0.1.0.0.2.ip6.arpa. 10800	IN	SOA	localhost. nobody.invalid. 1 3600 1200 604800 10800",
		"x. 1 IN CAA 0 issue \"le.org\"":                                                                                  "x.			1	IN	CAA	0 issue \"le.org\"",
		"x. 1 IN SSHFP 1 1 123456789abcdef67890123456789abcdef67890":                                                      "x.			1	IN	SSHFP	1 1 123456789ABCDEF67890123456789ABCDEF67890",
		"x. 1 IN DNSKEY 257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN": "x.			1	IN	DNSKEY	257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3 +/4RgWOq7HrxRixHlFlExOLAJr5emLvN",
	} {
		rr, err := dns.NewRR(text)
		require.NoError(t, err, text)
		require.Equal(t, want, showing{}.record(rr), text)
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"+bogus":                "+bogus: no such option",
		"+":                     "+: no such option",
		"+co":                   "+co: it may mean comments, cookie",
		"+edns=256":             "+edns=256: it must be from 0 to 255",
		"+timeout=0":            "it must be from 1 to 65535",
		"+tries=x":              "it must be from 1 to 255",
		"+short=1":              "it has no value",
		"example.com other.com": "one name at a time; the first is example.com.",
		"a..b":                  "'a..b' is not a legal name",
		".a":                    "'.a' is not a legal name",
		strings.Repeat("a", 64): "is not a legal name",
	} {
		_, err := Parse(strings.Fields(line))
		require.ErrorContains(t, err, want, line)
	}
	q, err := Parse(nil)
	require.NoError(t, err)
	require.ErrorContains(t, q.SetReverse("10.0.0"), "-x 10.0.0: not an address")
	require.ErrorContains(t, q.SetType("bogus"), "-t bogus: not a type of records")
	require.ErrorContains(t, q.SetClass("bogus"), "-c bogus: not a class of records")
	require.NoError(t, q.SetReverse("2001:db8::1"))
	require.Equal(t, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", q.name)
	require.Equal(t, dns.TypePTR, q.qtype)
}

// The query has what the options say.
func TestQuery(t *testing.T) {
	for line, want := range map[string]string{
		"+noall":                         "NS . rd ad udp 1232 cookie",
		"+noall example.com":             "A example.com. rd ad udp 1232 cookie",
		"+noall example.com aaaa":        "AAAA example.com. rd ad udp 1232 cookie",
		"+noall example.com type257":     "CAA example.com. rd ad udp 1232 cookie",
		"+noall x +norec +noad +cdflag":  "A x. cd udp 1232 cookie",
		"+noall x +noedns":               "A x. rd ad",
		"+noall x +noedns +dnssec":       "A x. rd ad udp 1232 do cookie",
		"+noall x +nocook +bufsize=4096": "A x. rd ad udp 4096",
		"+noall x +nsid +aaonly":         "A x. aa rd ad udp 1232 nsid cookie",
		"+noall x ANY":                   "ANY x. tcp rd ad udp 1232 cookie",
	} {
		got := ""
		w := world{here: func(network string, q *dns.Msg) []*dns.Msg {
			got = describe(network, q)
			return []*dns.Msg{new(dns.Msg).SetReply(q)}
		}}
		_, err := run(t, w, strings.Fields(line)...)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
}

// describe is a query in words.
func describe(network string, q *dns.Msg) string {
	words := []string{typeName(q.Question[0].Qtype), q.Question[0].Name}
	flag := func(word string, set bool) {
		if set {
			words = append(words, word)
		}
	}
	flag("tcp", network == "tcp")
	flag("aa", q.Authoritative)
	flag("rd", q.RecursionDesired)
	flag("ad", q.AuthenticatedData)
	flag("cd", q.CheckingDisabled)
	if opt := q.IsEdns0(); opt != nil {
		words = append(words, "udp "+optSize(opt))
		flag("do", opt.Do())
		for _, o := range opt.Option {
			flag("nsid", o.Option() == dns.EDNS0NSID)
			flag("cookie", o.Option() == dns.EDNS0COOKIE)
		}
	}
	return strings.Join(words, " ")
}

func optSize(opt *dns.OPT) string {
	return strings.TrimSpace(strings.Fields(strings.SplitAfter(opt.String(), "udp: ")[1])[0])
}

// Messages that do not answer the query are reported and ignored (RFC 5452 section 9.1).
func TestForgeriesAreIgnored(t *testing.T) {
	genuine := zone(t, example)
	w := world{here: func(network string, q *dns.Msg) []*dns.Msg {
		id, question, query := q.Copy(), q.Copy(), q.Copy()
		id.Id, id.Response = 1+q.Id, true
		question.Question[0].Name, question.Response = "other.com.", true
		return append([]*dns.Msg{id, query, question}, genuine(network, q)...)
	}}
	out, err := run(t, w, "example.com", "+short")
	require.NoError(t, err)
	require.Regexp(t, `^;; Warning: ID mismatch: expected ID \d+, got \d+
;; Warning: query response not set
;; Question section mismatch: got other\.com\./A/IN
192\.0\.2\.1
$`, out)
}

func TestTruncatedAnswer(t *testing.T) {
	genuine := zone(t, example)
	w := world{here: func(network string, q *dns.Msg) []*dns.Msg {
		m := genuine(network, q)
		m[0].Truncated = network == "udp"
		return m
	}}
	out, err := run(t, w, "example.com", "+nocmd", "+nostats")
	require.NoError(t, err)
	require.Contains(t, out, ";; Truncated, retrying in TCP mode.\n")
	require.Contains(t, out, ";; flags: qr aa rd ra;")
	out, err = run(t, w, "example.com", "+nocmd", "+nostats", "+ignore")
	require.NoError(t, err)
	require.Contains(t, out, ";; flags: qr aa tc rd ra;")
}

// A server that asks for its cookie, or for an older version of EDNS, gets it.
func TestNegotiation(t *testing.T) {
	genuine := zone(t, example)
	w := world{here: func(network string, q *dns.Msg) []*dns.Msg {
		m := genuine(network, q)[0]
		opt := m.IsEdns0()
		cookie := cookieOf(q)
		switch {
		case q.IsEdns0().Version() > 0:
			m.Rcode, m.Answer = dns.RcodeBadVers, nil
			return []*dns.Msg{m}
		case len(cookie) == clientCookie:
			m.Rcode, m.Answer = dns.RcodeBadCookie, nil
			cookie += "0102030405060708"
		}
		opt.Option = append(opt.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
		return []*dns.Msg{m}
	}}
	out, err := run(t, w, "example.com", "+edns=1", "+nocmd", "+nostats", "+noquestion")
	require.NoError(t, err)
	require.Regexp(t, `^;; BADVERS, retrying with EDNS version 0\.
;; BADCOOKIE, retrying\.
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: \*
(?s:.*)
; COOKIE: [0-9a-f]{16}0102030405060708 \(good\)
`, out)
}

// Without an answer the output says what each try of each server gave, in dig's words, and how long it took is bounded.
func TestNoReply(t *testing.T) {
	for line, want := range map[string]string{
		"@192.0.2.9 example.com": `;; UDP setup with 192.0.2.9#53(192.0.2.9) for example.com failed: connection refused.
;; UDP setup with 192.0.2.9#53(192.0.2.9) for example.com failed: connection refused.
;; UDP setup with 192.0.2.9#53(192.0.2.9) for example.com failed: connection refused.
;; no servers could be reached
`,
		"@192.0.2.8 example.com +tries=1 +tcp": `;; Connection to 192.0.2.8#53(192.0.2.8) for example.com failed: network unreachable.
;; no servers could be reached
`,
		"@192.0.2.7 example.com +retry=1 +timeout=2": `;; communications error to 192.0.2.7#53: timed out
;; communications error to 192.0.2.7#53: timed out

; <<>> tunstack dig <<>> @192.0.2.7 example.com +retry=1 +timeout=2
; (1 server found)
;; global options: +cmd
;; no servers could be reached
`,
	} {
		out, err := run(t, world{"192.0.2.8:53": nil, "192.0.2.7:53": silent}, strings.Fields(line)...)
		require.ErrorIs(t, err, ErrNoReply, line)
		require.Equal(t, want, out, line)
	}
}

func TestNoServer(t *testing.T) {
	q, err := Parse([]string{"example.com"})
	require.NoError(t, err)
	require.ErrorIs(t, q.Run(t.Context(), new(bytes.Buffer)), errNoServer)
}

// +trace follows the referrals from the root, and asks for the address of a server that no referral tells.
func TestTrace(t *testing.T) {
	refer := func(records ...string) func(string, *dns.Msg) []*dns.Msg {
		return func(_ string, q *dns.Msg) []*dns.Msg {
			m := new(dns.Msg).SetReply(q)
			for _, text := range records {
				rr, err := dns.NewRR(text)
				require.NoError(t, err)
				if rr.Header().Rrtype == dns.TypeNS {
					m.Ns = append(m.Ns, rr)
				} else {
					m.Extra = append(m.Extra, rr)
				}
			}
			return []*dns.Msg{m}
		}
	}
	w := world{
		here:             zone(t, ". 1 IN NS a.root.\na.root. 1 IN A 192.0.2.10\nns.example.com. 1 IN A 192.0.2.12\n"),
		"192.0.2.10:53":  refer("com. 1 IN NS a.gtld.", "a.gtld. 1 IN A 192.0.2.11"),
		"192.0.2.11:53":  refer("example.com. 1 IN NS ns.example.com."),
		"192.0.2.12:53":  zone(t, example),
		"192.0.2.200:53": silent,
	}
	out, err := run(t, w, "example.com", "+trace")
	require.NoError(t, err)
	require.Equal(t, `
; <<>> tunstack dig <<>> example.com +trace
;; global options: +cmd
.			1	IN	NS	a.root.
;; Received 47 bytes from 192.0.2.53#53(192.0.2.53) in 0 ms

com.			1	IN	NS	a.gtld.
;; Received 74 bytes from 192.0.2.10#53(a.root) in 0 ms

example.com.		1	IN	NS	ns.example.com.
;; Received 68 bytes from 192.0.2.11#53(a.gtld) in 0 ms

example.com.		300	IN	A	192.0.2.1
;; Received 67 bytes from 192.0.2.12#53(ns.example.com) in 0 ms

`, out)
	w["192.0.2.11:53"] = refer("com. 1 IN NS a.gtld.", "a.gtld. 1 IN A 192.0.2.11")
	out, err = run(t, w, "example.com", "+trace")
	require.NoError(t, err)
	require.Contains(t, out, ";; BAD (HORIZONTAL) REFERRAL\n")
}

// Whatever a server sends, the output has no control characters, and the command ends.
func FuzzAnswer(f *testing.F) {
	m := new(dns.Msg).SetQuestion("example.com.", dns.TypeA)
	m.Response = true
	b, err := m.Pack()
	require.NoError(f, err)
	f.Add(b, false)
	f.Add(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...), true)
	f.Fuzz(func(t *testing.T, answer []byte, tcp bool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		network := "notcp"
		if tcp {
			network = "tcp"
		}
		var out bytes.Buffer
		_ = printed(ctx, network, answer, &out) // most answers are no answers
		require.NoError(t, ctx.Err())
		require.False(t, strings.ContainsFunc(out.String(), func(r rune) bool { return (r < ' ' && r != '\n' && r != '\t') || r > '~' }), out.String())
	})
}
