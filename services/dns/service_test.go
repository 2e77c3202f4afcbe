package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"tunstack/services"
	"tunstack/socketapi"
)

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

// newServer returns a server for a stack and its host, which passes queries on to servers.
func newServer(dial func(ctx context.Context, network, address string) (net.Conn, error), forward ...netip.AddrPort) *server {
	s := &server{seats: services.NewSeats(forwards), Config: Config{Dial: dial, Forward: forward, Hosts: func() []Host {
		return []Host{
			{services.Name, addrs("10.0.0.2", "fd00::2")},
			{"host." + services.Name, addrs("10.0.0.1")},
		}
	}}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ask asks the server, and returns its answer.
func (s *server) answerTo(t testing.TB, m *dns.Msg) *dns.Msg {
	t.Helper()
	b, err := m.Pack()
	require.NoError(t, err)
	q := read(b)
	require.NotNil(t, q)
	answer := s.own(q)
	if answer == nil {
		answer = s.forward(q, netip.MustParseAddr("10.0.0.1"))
	}
	got := new(dns.Msg)
	b = q.finish(answer, q.size)
	require.LessOrEqual(t, len(b), q.size)
	require.NoError(t, got.Unpack(b))
	require.True(t, got.Response)
	require.Equal(t, m.Id, got.Id)
	return got
}

// summary is an answer in one line for each record.
func summary(m *dns.Msg) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[m.Rcode])
	for _, f := range []struct {
		name string
		set  bool
	}{{"aa", m.Authoritative}, {"tc", m.Truncated}, {"ra", m.RecursionAvailable}} {
		if f.set {
			b.WriteString(" " + f.name)
		}
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			fmt.Fprintf(&b, "\n%s%s", []string{"", "> "}[i], strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	return b.String()
}

func question(text string) *dns.Msg {
	name, typ, _ := strings.Cut(text, " ")
	return new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[typ])
}

const (
	zoneSOA = "\n> tunstack.internal. 60 IN SOA tunstack.internal. hostmaster.tunstack.internal. 1 3600 600 86400 60"
	soaRest = " 60 IN SOA tunstack.internal. hostmaster.tunstack.internal. 1 3600 600 86400 60"
)

// DNS-038, DNS-039, DNS-044: The server is the authority for the stack's names, forward and reverse, and tells names that do not exist from records that do not.
func TestOwnNames(t *testing.T) {
	s := newServer(nil)
	for text, want := range map[string]string{
		"tunstack.internal A":        "NOERROR aa\ntunstack.internal. 60 IN A 10.0.0.2",
		"tunstack.internal AAAA":     "NOERROR aa\ntunstack.internal. 60 IN AAAA fd00::2",
		"TunStack.Internal A":        "NOERROR aa\nTunStack.Internal. 60 IN A 10.0.0.2",
		"tunstack.internal NS":       "NOERROR aa\ntunstack.internal. 60 IN NS tunstack.internal.",
		"tunstack.internal SOA":      "NOERROR aa\ntunstack.internal." + soaRest,
		"tunstack.internal MX":       "NOERROR aa" + zoneSOA,
		"host.tunstack.internal A":   "NOERROR aa\nhost.tunstack.internal. 60 IN A 10.0.0.1",
		"host.tunstack.internal ANY": "NOERROR aa\nhost.tunstack.internal. 60 IN A 10.0.0.1",
		// NODATA, not NXDOMAIN: the name exists
		"host.tunstack.internal AAAA": "NOERROR aa" + zoneSOA,
		"nosuch.tunstack.internal A":  "NXDOMAIN aa" + zoneSOA,
		"2.0.0.10.in-addr.arpa PTR":   "NOERROR aa\n2.0.0.10.in-addr.arpa. 60 IN PTR tunstack.internal.",
		"1.0.0.10.in-addr.arpa PTR":   "NOERROR aa\n1.0.0.10.in-addr.arpa. 60 IN PTR host.tunstack.internal.",
		"2.0.0.10.in-addr.arpa A":     "NOERROR aa\n> 2.0.0.10.in-addr.arpa." + soaRest,
		"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR": "NOERROR aa\n2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 60 IN PTR tunstack.internal.",
		"localhost A":                "NOERROR aa\nlocalhost. 60 IN A 127.0.0.1",
		"foo.localhost AAAA":         "NOERROR aa\nfoo.localhost. 60 IN AAAA ::1",
		"1.0.0.127.in-addr.arpa PTR": "NOERROR aa\n1.0.0.127.in-addr.arpa. 60 IN PTR localhost.",
		"foo.onion A":                "NXDOMAIN\n> onion." + soaRest,
		"foo.invalid A":              "NXDOMAIN\n> invalid." + soaRest,
		"foo.local A":                "NXDOMAIN\n> local." + soaRest,
		// others' zones
		"example.com A":             "REFUSED",
		"internal A":                "REFUSED",
		"xtunstack.internal A":      "REFUSED",
		"9.0.0.10.in-addr.arpa PTR": "REFUSED",
		". NS":                      "REFUSED",
		"tunstack.internal AXFR":    "REFUSED",
	} {
		require.Equal(t, want, summary(s.answerTo(t, question(text))), text)
	}
}

// DNS-040: Queries that no server can answer get the error codes of their standards; a message that is no query gets no answer.
func TestFaults(t *testing.T) {
	s := newServer(nil)
	for want, change := range map[string]func(m *dns.Msg){
		"NOTIMP":  func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate },
		"FORMERR": func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"BADVERS": func(m *dns.Msg) { m.SetEdns0(512, false).IsEdns0().SetVersion(1) },
		"REFUSED": func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
	} {
		m := question("tunstack.internal A")
		change(m)
		got := s.answerTo(t, m)
		if want == "BADVERS" {
			require.Equal(t, dns.RcodeBadVers, got.Rcode)
			require.Zero(t, got.IsEdns0().Version())
			continue
		}
		require.Equal(t, want, dns.RcodeToString[got.Rcode])
		require.Empty(t, got.Answer)
	}
	m := question("tunstack.internal A").SetEdns0(512, false).SetEdns0(512, false)
	require.Equal(t, dns.RcodeFormatError, s.answerTo(t, m).Rcode, "two OPT records")
	m = question("tunstack.internal A")
	m.Question = nil
	require.Equal(t, dns.RcodeFormatError, s.answerTo(t, m).Rcode)

	b, err := question("tunstack.internal A").Pack()
	require.NoError(t, err)
	q := read(b[:len(b)-1])
	got := new(dns.Msg)
	require.NoError(t, got.Unpack(q.finish(s.own(q), 512)))
	require.Equal(t, "FORMERR", summary(got))
	require.Nil(t, read(b[:11]), "no whole header")
	b[2] |= 0x80
	require.Nil(t, read(b), "a response")
}

// DNS-041: An answer over UDP is as large as the client takes, and has TC if it does not fit; an OPT record is answered by one.
func TestSizes(t *testing.T) {
	s := newServer(nil)
	var many []netip.Addr
	for i := range 200 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	s.Hosts = func() []Host { return []Host{{services.Name, many}} }
	for _, c := range []struct {
		edns, size int
		do         bool
	}{{0, 512, false}, {100, 512, false}, {800, 800, true}, {65535, ednsSize, false}} {
		m := question("tunstack.internal A")
		if c.edns > 0 {
			m.SetEdns0(uint16(c.edns), c.do)
		}
		got := s.answerTo(t, m)
		require.True(t, got.Truncated)
		require.Greater(t, len(got.Answer), c.size/16-8)
		require.Equal(t, c.edns > 0, got.IsEdns0() != nil)
		if c.edns > 0 {
			require.EqualValues(t, ednsSize, got.IsEdns0().UDPSize())
			require.Equal(t, c.do, got.IsEdns0().Do())
		}
	}
}

// DNS-036, DNS-043: The service answers over UDP and TCP on a stack, from the address that was asked, and ends while a query waits for a server.
func TestOverStack(t *testing.T) {
	stack, err := socketapi.New(socketapi.Config{})
	require.NoError(t, err)
	defer stack.Close()
	waiting := make(chan struct{})
	service := Service(Config{
		Hosts: func() []Host { return []Host{{services.Name, addrs("10.0.0.2")}} }, Forward: []netip.AddrPort{server1},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			waiting <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	running, err := services.Start(stack, []services.Service{service})
	require.NoError(t, err)
	ended := make(chan struct{})
	for _, network := range []string{"udp", "tcp"} {
		for _, address := range []string{"127.0.0.1:53", "127.0.0.2:53", "[::1]:53"} {
			c, err := stack.Dial(network, address)
			require.NoError(t, err, address)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
			m, _, err := new(dns.Client).ExchangeWithConn(question("tunstack.internal A"), &dns.Conn{Conn: c})
			require.NoError(t, err, "%s %s", network, address)
			require.Equal(t, "NOERROR aa ra\ntunstack.internal. 60 IN A 10.0.0.2", summary(m))
			if address == "[::1]:53" {
				require.NoError(t, (&dns.Conn{Conn: c}).WriteMsg(question("example.com A")))
				<-waiting
			}
		}
	}
	go func() {
		running.Close()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(totalTime * 3 / 4):
		t.Fatal("the service waits for the servers")
	}
}

// Whatever a client sends, the answer is a response to it that a library can read, and no longer than allowed.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{"tunstack.internal A", "2.0.0.10.in-addr.arpa PTR", "example.com MX"} {
		b, err := question(text).SetEdns0(1232, true).Pack()
		require.NoError(f, err)
		f.Add(b)
	}
	s := newServer(nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		q := read(b)
		if q == nil {
			return
		}
		answer := q.finish(s.own(q), q.size)
		require.LessOrEqual(t, len(answer), q.size)
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(answer))
		require.True(t, m.Response)
		require.Equal(t, b[:2], answer[:2])
	})
}
