package dns

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// upstream is a server to which queries are passed on: answer gets a query over a network and returns the messages to send back.
func upstream(answer func(network string, q *dns.Msg) []*dns.Msg) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			receive := map[string]func(net.Conn) ([]byte, error){"udp": datagram, "tcp": stream}[network]
			b, err := receive(far)
			q := new(dns.Msg)
			if err != nil || q.Unpack(b) != nil {
				return
			}
			for _, m := range answer(network, q) {
				b, err := m.Pack()
				if err != nil {
					return
				}
				if network == "tcp" {
					b = append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)
				}
				if _, err := far.Write(b); err != nil {
					return
				}
			}
			receive(far) // until the client closes it
		}()
		return near, nil
	}
}

var server1, server2 = netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("192.0.2.54:0")

func answerA(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.AuthenticatedData = true
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 7}, A: net.IP{192, 0, 2, 1}}}
	return m
}

const passed = "NOERROR ra\nexample.com. 7 IN A 192.0.2.1"

// DNS-042: Other queries are passed on, over TCP if an answer is truncated and without EDNS if a server does not know it; messages that do not
// answer are ignored.
func TestForward(t *testing.T) {
	for name, answer := range map[string]func(network string, q *dns.Msg) []*dns.Msg{
		"plain": func(_ string, q *dns.Msg) []*dns.Msg { return []*dns.Msg{answerA(q)} },
		"truncated": func(network string, q *dns.Msg) []*dns.Msg {
			m := answerA(q)
			m.Truncated = network == "udp"
			if m.Truncated {
				m.Answer = nil
			}
			return []*dns.Msg{m}
		},
		"without EDNS": func(_ string, q *dns.Msg) []*dns.Msg {
			if q.IsEdns0() != nil {
				return []*dns.Msg{new(dns.Msg).SetRcode(q, dns.RcodeFormatError)}
			}
			return []*dns.Msg{answerA(q)}
		},
		"forged": func(_ string, q *dns.Msg) []*dns.Msg {
			id, other := answerA(q), answerA(q)
			id.Id++
			other.Question[0].Name = "other.com."
			return []*dns.Msg{id, other, q, answerA(q)}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(upstream(answer), server1)
			m := question("example.com A").SetEdns0(1232, true)
			got := s.answerTo(t, m)
			require.Equal(t, passed, summary(got), name)
			require.False(t, got.AuthenticatedData, "nobody has verified it")
			require.Equal(t, "NOERROR aa ra\ntunstack.internal. 60 IN A 10.0.0.2", summary(s.answerTo(t, question("tunstack.internal A"))))
			require.Equal(t, dns.RcodeNameError, s.answerTo(t, question("x.onion A")).Rcode, "it is not passed on")
			m.RecursionDesired = false
			require.Equal(t, dns.RcodeRefused, s.answerTo(t, m).Rcode)
		})
	}
}

// DNS-042: A server that does not answer, or fails, is followed by the next; the client gets SERVFAIL in bounded time.
func TestForwardToFailingServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		working := upstream(func(_ string, q *dns.Msg) []*dns.Msg { return []*dns.Msg{answerA(q)} })
		failing := upstream(func(_ string, q *dns.Msg) []*dns.Msg {
			return []*dns.Msg{new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)}
		})
		silent := upstream(func(string, *dns.Msg) []*dns.Msg { return nil })
		dead := func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ENETUNREACH }
		for _, first := range []func(context.Context, string, string) (net.Conn, error){failing, silent, dead} {
			s := newServer(func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == server1.String() {
					return first(ctx, network, address)
				}
				return working(ctx, network, address)
			}, server1, server2)
			require.Equal(t, passed, summary(s.answerTo(t, question("example.com A"))))
			begin := time.Now()
			s = newServer(first, server1, server2, server1, server2)
			require.Equal(t, "SERVFAIL ra", summary(s.answerTo(t, question("example.com A"))))
			require.LessOrEqual(t, time.Since(begin), totalTime)
		}
	})
}

// Queries of one client that wait for servers are bounded.
func TestForwardsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		s := newServer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			asked.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}, server1)
		b, err := question("example.com A").Pack()
		require.NoError(t, err)
		for range 2 * forwards.Source {
			go s.forward(read(b), netip.MustParseAddr("10.0.0.1"))
		}
		synctest.Wait()
		require.EqualValues(t, forwards.Source, asked.Load())
		s.cancel() // a port was closed
		synctest.Wait()
	})
}
