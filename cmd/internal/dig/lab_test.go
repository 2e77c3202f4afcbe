package dig

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// world is the name servers that a test has: each gets a query, and returns the messages that it sends back.
type world map[string]func(network string, q *dns.Msg) []*dns.Msg

// dial is a Dial to the servers.
func (w world) dial(_ context.Context, network, address string) (net.Conn, error) {
	serve, ok := w[address]
	if !ok {
		return nil, syscall.ECONNREFUSED
	}
	if serve == nil {
		return nil, syscall.ENETUNREACH
	}
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		wire := framing(network, far)
		for {
			b, err := wire.receive()
			if err != nil {
				return
			}
			q := new(dns.Msg)
			if q.Unpack(b) != nil {
				return
			}
			for _, m := range serve(network, q) {
				if wire.send(m) != nil {
					return
				}
			}
		}
	}()
	return conn{near, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))}, nil
}

// conn is an end of a pipe with the server's address.
type conn struct {
	net.Conn
	remote net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.remote }

// silent does not answer.
func silent(string, *dns.Msg) []*dns.Msg { return nil }

// zone answers with records in the format of master files; without records it answers NXDOMAIN, and for a name without such records
// nothing.
func zone(t testing.TB, text string) func(string, *dns.Msg) []*dns.Msg {
	var all []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		all = append(all, rr)
	}
	require.NoError(t, parser.Err())
	return func(_ string, q *dns.Msg) []*dns.Msg {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative, m.RecursionAvailable = true, true
		m.Rcode = dns.RcodeNameError
		for name := q.Question[0].Name; name != ""; {
			next := ""
			for _, rr := range all {
				if !strings.EqualFold(rr.Header().Name, name) {
					continue
				}
				m.Rcode = dns.RcodeSuccess
				alias, isAlias := rr.(*dns.CNAME)
				if isAlias {
					next = alias.Target
				}
				if isAlias || rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
			name = next
		}
		if opt := q.IsEdns0(); opt != nil {
			m.SetEdns0(1232, opt.Do())
		}
		return []*dns.Msg{m}
	}
}

// always answers everything with a code.
func always(code int) func(string, *dns.Msg) []*dns.Msg {
	return func(_ string, q *dns.Msg) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetRcode(q, code)} }
}

// here is the address of the server of most tests.
const here = "192.0.2.53:53"

// run runs a command line of dig in virtual time.
func run(t *testing.T, w world, words ...string) (out string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q, parseErr := Parse(words)
		require.NoError(t, parseErr)
		q.Dial, q.Line = w.dial, strings.Join(words, " ")
		q.Servers = []netip.AddrPort{netip.MustParseAddrPort(here)}
		var b bytes.Buffer
		err = q.Run(t.Context(), &b)
		out = b.String()
	})
	return masked(out), err
}

var varying = regexp.MustCompile(`(, id: )\d+|(;; WHEN: ).*`)

// masked replaces what differs from run to run.
func masked(out string) string { return varying.ReplaceAllString(out, "$1$2*") }

// lookUp runs host in virtual time, with a search list.
func lookUp(t *testing.T, w world, h Host) (out string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h.Dial, h.Wait, h.Retries = w.dial, 5*time.Second, 1
		if h.Servers == nil {
			h.Servers = []netip.AddrPort{netip.MustParseAddrPort(here)}
		}
		var b bytes.Buffer
		err = h.Run(t.Context(), &b)
		out = b.String()
	})
	return masked(out), err
}

// printed runs a query of a fuzz target against one answer in bytes.
func printed(ctx context.Context, network string, answer []byte, out io.Writer) error {
	q, err := Parse([]string{"example.com", "+qr", "+" + network, "+tries=1", "+timeout=1"})
	if err != nil {
		return err
	}
	q.Server = "192.0.2.53"
	q.Dial = func(context.Context, string, string) (net.Conn, error) {
		return &canned{answer: bytes.NewReader(answer), conn: conn{remote: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(here))}}, nil
	}
	return q.Run(ctx, out)
}

// canned is a connection that takes everything and returns an answer.
type canned struct {
	conn
	answer *bytes.Reader
}

func (c *canned) Read(b []byte) (int, error)  { return c.answer.Read(b) }
func (c *canned) Write(b []byte) (int, error) { return len(b), nil }
func (c *canned) Close() error                { return nil }
