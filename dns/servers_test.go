package dns

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// A query has one question of class IN, RD, opcode QUERY, zero in the other fields, and one OPT record for 1232 bytes.
// DNS-002, DNS-022.
func TestQueryFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "host.test. 60 A 10.0.0.9"))
		r := n.resolver(Config{}, "10.0.0.1")
		_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
		require.NoError(t, err)
		raw := n.logged()[0].raw
		require.Equal(t, []byte{1, 0, 0, 1, 0, 0, 0, 0, 0, 1}, raw[2:12]) // flags and counts
		require.Equal(t, "\x04host\x04test\x00\x00\x01\x00\x01", string(raw[12:27]))
		require.Equal(t, []byte{0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, 0}, raw[27:])
	})
}

// Identifiers of queries cannot be predicted. The port, the other half of DNS-006, is the part of the stack that dials.
func TestIdentifiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "host.test. 0 A 10.0.0.9"))
		r := n.resolver(Config{}, "10.0.0.1")
		for range 1000 {
			_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
		}
		ids, steps := map[uint16]bool{}, map[uint16]int{}
		var last uint16
		for _, q := range n.logged() {
			ids[q.msg.ID] = true
			steps[q.msg.ID-last]++
			last = q.msg.ID
		}
		require.Greater(t, len(ids), 950)
		for step, times := range steps {
			require.Less(t, times, 10, "step %d", step)
		}
	})
}

// When all servers are silent, each is asked once per round, for twice as long in the second; the error says so and is temporary.
// DNS-024.
func TestSilentServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", silent)
		n.add("10.0.0.2:5353", silent)
		r := n.resolver(Config{}, "10.0.0.1", "10.0.0.2:5353")
		_, err := r.LookupNetIP(background, "ip4", "host.test.")
		require.EqualError(t, err, "lookup host.test.: 10.0.0.1: no answer within 5s, then no answer within 10s; "+
			"10.0.0.2:5353: no answer within 5s, then no answer within 10s")
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.True(t, e.IsTimeout && e.IsTemporary && !e.IsNotFound)
		var at []string
		for _, q := range n.logged() {
			at = append(at, q.at.String()+" "+q.server.Addr().String())
		}
		require.Equal(t, []string{"0s 10.0.0.1", "5s 10.0.0.2", "10s 10.0.0.1", "20s 10.0.0.2"}, at)
		require.Equal(t, 30*time.Second, time.Since(n.start))
		require.EqualValues(t, 4, r.Stats().Silent.Value())
	})
}

// A server that was silent is asked last for half a minute. DNS-018.
func TestSilenceIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", silent)
		n.add("10.0.0.2", zone(t, "host.test. 0 A 10.0.0.9"))
		r := n.resolver(Config{}, "10.0.0.1", "10.0.0.2")
		ask := func() time.Duration {
			begin := time.Now()
			_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			return time.Since(begin)
		}
		require.Equal(t, 5*time.Second, ask())
		require.Zero(t, ask())
		time.Sleep(silenceTime)
		n.add("10.0.0.1", zone(t, "host.test. 0 A 10.0.0.9"))
		require.Zero(t, ask())
		require.Equal(t, "10.0.0.1", n.logged()[3].server.Addr().String())
	})
}

// A server that reports a failure or cannot be reached is left at once for the next, and NXDOMAIN ends the search. No failure is
// kept. DNS-025, DNS-018.
func TestFailingServers(t *testing.T) {
	for name, h := range map[string]func(t *testing.T) handler{
		"server failure (SERVFAIL)":       failing(dnsmessage.RCodeServerFailure),
		"refused (REFUSED)":               failing(dnsmessage.RCodeRefused),
		"query not implemented (NOTIMP)":  failing(dnsmessage.RCodeNotImplemented),
		"cannot read the query (FORMERR)": failing(dnsmessage.RCodeFormatError),
		"error code 11":                   failing(11),
		"does not answer for this name": func(t *testing.T) handler {
			return func(q *sent) [][]byte {
				m := q.base()
				m.RecursionAvailable = false
				return [][]byte{pack(t, &m)}
			}
		},
		"connection refused": func(*testing.T) handler { return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", h(t))
			n.add("10.0.0.2", zone(t, "host.test. 0 A 10.0.0.9"))
			r := n.resolver(Config{}, "10.0.0.1", "10.0.0.2")
			_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			_, err = r.Query(background, "gone.test.", dnsmessage.TypeA)
			require.ErrorIs(t, err, ErrNoName)
			require.Zero(t, time.Since(n.start))

			alone := n.resolver(Config{}, "10.0.0.1")
			_, err = alone.Query(background, "host.test.", dnsmessage.TypeA)
			require.ErrorContains(t, err, "lookup host.test.: 10.0.0.1: "+name)
			n.add("10.0.0.1", zone(t, "host.test. 0 A 10.0.0.9"))
			_, err = alone.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
		})
	}
}

func failing(code dnsmessage.RCode) func(t *testing.T) handler {
	return func(t *testing.T) handler { return func(q *sent) [][]byte { return [][]byte{q.fail(t, code)} } }
}

// Errors tell temporary failures from permanent ones.
func TestErrorKinds(t *testing.T) {
	for code, temporary := range map[dnsmessage.RCode]bool{dnsmessage.RCodeServerFailure: true, dnsmessage.RCodeRefused: false} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", failing(code)(t))
			r := n.resolver(Config{}, "10.0.0.1")
			_, err := r.LookupHost(background, "host.test")
			var e *net.DNSError
			require.ErrorAs(t, err, &e)
			require.Equal(t, temporary, e.IsTemporary)
			require.False(t, e.IsTimeout || e.IsNotFound)
			require.ErrorIs(t, err, RCodeError(code))
		})
	}
	r := New(Config{})
	defer r.Close()
	_, err := r.LookupHost(background, "host.test")
	require.EqualError(t, err, "lookup host.test: no name server is known")
}

// A server that does not know EDNS gets the query once more without it, whether or not its error repeats the question. DNS-023.
func TestWithoutEDNS(t *testing.T) {
	for _, bare := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", func(q *sent) [][]byte {
				m := q.base()
				if !q.edns() {
					return [][]byte{q.reply(t, "host.test. 60 A 10.0.0.9")}
				}
				m.RCode = dnsmessage.RCodeFormatError
				if bare {
					m.Questions = nil
				}
				return [][]byte{pack(t, &m)}
			})
			r := n.resolver(Config{}, "10.0.0.1")
			_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			require.Len(t, n.queries(), 2)

			never := n.resolver(Config{Settings: Settings{NoEDNS: true}}, "10.0.0.1")
			_, err = never.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			require.Len(t, n.queries(), 3)
		})
	}
}

// An answer of 1200 bytes comes over UDP. DNS-022.
func TestLargeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		text := strings.Repeat("x", 230)
		n.add("10.0.0.1", zone(t, "host.test. 60 TXT "+strings.Repeat(text+" ", 5)))
		r := n.resolver(Config{}, "10.0.0.1")
		got, err := r.LookupTXT(background, "host.test.")
		require.NoError(t, err)
		require.Equal(t, strings.Repeat(text, 5), got[0])
	})
}

// The codes of EDNS have more bits (RFC 6891 section 6.1.3).
func TestExtendedCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			m := q.base()
			opt := dnsmessage.Resource{Body: &dnsmessage.OPTResource{}}
			require.NoError(t, opt.Header.SetEDNS0(1232, 16, false))
			m.Additionals = append(m.Additionals, opt)
			return [][]byte{pack(t, &m)}
		})
		r := n.resolver(Config{}, "10.0.0.1")
		_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
		require.ErrorIs(t, err, RCodeError(16))
	})
}

// The context ends a lookup, with its own error, and the query with it.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", silent)
		r := n.resolver(Config{}, "10.0.0.1")
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		_, err := r.LookupHost(ctx, "host.test")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.True(t, e.IsTimeout)
		require.Equal(t, time.Second, time.Since(n.start))
		synctest.Wait()
		require.Empty(t, r.flights.calls)

		r.Close()
		_, err = r.LookupHost(background, "host.test")
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// The options of resolv.conf, and lines that it does not have. DNS-031, DNS-032.
func TestParseResolvConf(t *testing.T) {
	s, err := ParseResolvConf(strings.NewReader(`# comment
; comment
nameserver 10.0.0.1
nameserver 2001:db8::1
 nameserver 10.0.0.66
nameserver fe80::1%eth0 # zone
nameserver x
nameserver
nameserver 10.0.0.4
domain one.test
search a.test b.test
options ndots:99 timeout:99 attempts:99 rotate edns0 single-request single-request-reopen
options use-vc trust-ad no-aaaa unknown unknown:4 ndots: ndots:x timeout:-1 attempts
sortlist 10.0.0.0
gibberish`))
	require.NoError(t, err)
	var servers []string
	for _, a := range s.complete(53).Servers {
		servers = append(servers, a.String())
	}
	require.Equal(t, []string{"10.0.0.1:53", "[2001:db8::1]:53", "[fe80::1%eth0]:53"}, servers)
	s.Servers = nil
	require.Equal(t, Settings{
		Search: []string{"a.test", "b.test"}, Ndots: 15, Timeout: 30 * time.Second, Attempts: 5,
		Rotate: true, UseTCP: true, SingleRequest: true, TrustAD: true, NoAAAA: true,
	}, s)
	s, err = ParseResolvConf(strings.NewReader("options timeout:0 attempts:0"))
	require.NoError(t, err)
	require.Equal(t, Settings{Timeout: time.Second, Attempts: 1}, s)
}

// rotate begins with another server each time; single-request asks for A first; no-aaaa for A alone; timeout and attempts count.
// DNS-031, DNS-032.
func TestOptions(t *testing.T) {
	for conf, want := range map[string]string{
		"rotate":                       "0s 10.0.0.1 A, 0s 10.0.0.2 AAAA, 0s 10.0.0.1 A, 0s 10.0.0.2 AAAA",
		"no-aaaa":                      "0s 10.0.0.1 A, 0s 10.0.0.1 A",
		"single-request":               "0s 10.0.0.1 A, 1s 10.0.0.1 AAAA, 2s 10.0.0.1 A, 3s 10.0.0.1 AAAA",
		"timeout:1 attempts:1 no-aaaa": "0s 10.0.0.1 A, 1s 10.0.0.2 A",
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			known := zone(t, "host.test. 0 A 10.0.0.9", "host.test. 0 AAAA 2001:db8::9")
			h := known
			switch {
			case conf == "single-request":
				h = func(q *sent) [][]byte { time.Sleep(time.Second); return known(q) }
			case strings.HasPrefix(conf, "timeout"):
				h = silent
			}
			n.add("10.0.0.1", h)
			n.add("10.0.0.2", h)
			s, err := ParseResolvConf(strings.NewReader("options " + conf))
			require.NoError(t, err)
			if s.Rotate {
				s.SingleRequest = true // for the order in the log
			}
			r := n.resolver(Config{Settings: s}, "10.0.0.1", "10.0.0.2")
			for range 2 {
				if _, err = r.LookupHost(background, "host.test."); err != nil {
					break
				}
			}
			var log []string
			for _, q := range n.logged() {
				log = append(log, q.at.String()+" "+q.server.Addr().String()+" "+TypeName(q.typ()))
			}
			require.Equal(t, want, strings.Join(log, ", "), conf)
		})
	}
}

// trust-ad sets AD in the query and believes it in the answer; otherwise neither. DNS-032.
func TestTrustAD(t *testing.T) {
	for _, trust := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", func(q *sent) [][]byte {
				m := q.base()
				m.AuthenticData = true
				m.Answers = []dnsmessage.Resource{record(t, "host.test. 60 A 10.0.0.9")}
				return [][]byte{pack(t, &m)}
			})
			r := n.resolver(Config{Settings: Settings{TrustAD: trust}}, "10.0.0.1")
			a, err := r.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			require.Equal(t, trust, a.Authentic)
			require.Equal(t, trust, n.logged()[0].msg.AuthenticData)
		})
	}
}

// plain finds the system's error.
func TestPlain(t *testing.T) {
	require.Equal(t, syscall.ECONNREFUSED, plain(&net.OpError{Err: syscall.ECONNREFUSED}))
	other := errors.New("other")
	require.Equal(t, other, plain(other))
}
