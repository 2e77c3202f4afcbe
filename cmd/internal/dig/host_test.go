package dig

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// The output is that of host of BIND 9.18 for the same answers.
func TestHost(t *testing.T) {
	const using = "Using domain server:\nName: 192.0.2.53\nAddress: 192.0.2.53#53\nAliases: \n\n"
	w := world{here: zone(t, example), "192.0.2.54:53": always(dns.RcodeServerFailure), "192.0.2.55:53": always(dns.RcodeRefused)}
	both := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.54:53"), netip.MustParseAddrPort(here)}
	for _, c := range []struct {
		host Host
		out  string
		ok   bool
	}{
		{Host{Name: "example.com"}, "example.com has address 192.0.2.1\nexample.com has IPv6 address 2001:db8::1\nexample.com mail is handled by 10 mail.example.com.\n", true},
		{Host{Name: "example.com", Server: "192.0.2.53", Type: "txt"}, using + "example.com descriptive text \"hello world\" \"two\"\n", true},
		{Host{Name: "www.example.com", Type: "A"}, "www.example.com is an alias for example.com.\nexample.com has address 192.0.2.1\n", true},
		{Host{Name: "www.example.com"}, "www.example.com is an alias for example.com.\nexample.com has address 192.0.2.1\nexample.com has IPv6 address 2001:db8::1\nexample.com mail is handled by 10 mail.example.com.\n", true},
		{Host{Name: "only4.example.com"}, "only4.example.com has address 192.0.2.4\n", true},
		{Host{Name: "only4.example.com", Type: "AAAA"}, "only4.example.com has no AAAA record\n", true},
		{Host{Name: "192.0.2.1"}, "1.2.0.192.in-addr.arpa domain name pointer example.com.\n", true},
		{Host{Name: "192.0.2.9"}, "Host 9.2.0.192.in-addr.arpa. not found: 3(NXDOMAIN)\n", false},
		{Host{Name: "nosuch.example.com"}, "Host nosuch.example.com not found: 3(NXDOMAIN)\n", false},
		{Host{Name: "_sip._tcp.example.com", Type: "SRV"}, "_sip._tcp.example.com has SRV record 1 2 5060 sip.example.com.\n", true},
		{Host{Name: "example.com", Type: "A", Verbose: true}, `Trying "example.com"
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: *
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;example.com.			IN	A

;; ANSWER SECTION:
example.com.		300	IN	A	192.0.2.1

Received 56 bytes from 192.0.2.53#53 in 0 ms
`, true},
		{Host{Name: "www", Stack: Stack{Search: []string{"example.org", "example.com"}}, Type: "CNAME"}, "www.example.com is an alias for example.com.\n", true},
		{Host{Name: "example.com", Type: "A", Stack: Stack{Servers: both}}, "example.com has address 192.0.2.1\n", true},
		{Host{Name: "example.com", Stack: Stack{Servers: both[:1]}}, "Host example.com not found: 2(SERVFAIL)\n", false},
		{Host{Name: "example.com", Server: "192.0.2.55"}, "Using domain server:\nName: 192.0.2.55\nAddress: 192.0.2.55#53\nAliases: \n\nHost example.com not found: 5(REFUSED)\n", false},
	} {
		out, err := lookUp(t, w, c.host)
		require.Equal(t, c.out, out, c.host.Name)
		require.Equal(t, c.ok, err == nil, "%s: %v", c.host.Name, err)
		require.Equal(t, !c.ok, Failed(err))
	}
}

// DNS-037: Without an answer the output says which servers were asked, and what each did.
func TestHostWithoutServer(t *testing.T) {
	w := world{"192.0.2.7:53": silent, "192.0.2.8:53": nil}
	out, err := lookUp(t, w, Host{Name: "example.com", Stack: Stack{Servers: []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.7:53"), netip.MustParseAddrPort("192.0.2.8:53"), netip.MustParseAddrPort("192.0.2.9:53"),
	}}})
	require.True(t, Failed(err))
	round := `;; communications error to 192.0.2.7#53: timed out
;; UDP setup with 192.0.2.8#53(192.0.2.8) for example.com failed: network unreachable.
;; UDP setup with 192.0.2.9#53(192.0.2.9) for example.com failed: connection refused.
`
	require.Equal(t, round+round+";; no servers could be reached\n", out)
	_, err = lookUp(t, w, Host{Name: "x", Stack: Stack{Servers: []netip.AddrPort{}}})
	require.ErrorIs(t, err, errNoServer)
	_, err = lookUp(t, w, Host{Name: "x", Type: "bogus"})
	require.ErrorContains(t, err, "invalid type: bogus")
	_, err = lookUp(t, w, Host{Name: "x", Class: "bogus"})
	require.ErrorContains(t, err, "invalid class: bogus")
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name  string
		ndots int
		want  []string
	}{
		{"a.", 1, []string{"a."}},
		{"a", 1, []string{"a.example.com.", "a.example.org.", "a"}},
		{"a.b", 1, []string{"a.b", "a.b.example.com.", "a.b.example.org."}},
		{"a.b", 2, []string{"a.b.example.com.", "a.b.example.org.", "a.b"}},
	} {
		h := Host{Name: c.name, Stack: Stack{Search: []string{"example.com", "example.org."}, Ndots: c.ndots}}
		require.Equal(t, c.want, h.candidates(), c)
	}
}
