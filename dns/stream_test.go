package dns

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// truncated wraps a handler: over UDP it sends part of the answer, with TC.
func truncated(t *testing.T, h handler) handler {
	return func(q *sent) [][]byte {
		if q.proto == "tcp" {
			return h(q)
		}
		m := q.base()
		m.Truncated = true
		m.Answers = []dnsmessage.Resource{record(t, q.name()+" 60 A 10.6.6.6")}
		return [][]byte{pack(t, &m)}
	}
}

// A truncated answer is not used: the query is repeated over TCP, on one connection for all. After ten seconds without a query the
// connection is closed. DNS-019, DNS-021, DNS-035.
func TestTruncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", truncated(t, zone(t, "a.test. 60 A 10.0.0.8", "b.test. 60 A 10.0.0.9", "c.test. 60 A 10.0.0.9")))
		r := n.resolver(Config{}, "10.0.0.1")
		for _, name := range []string{"a.test.", "b.test."} {
			a, err := r.Query(background, name, dnsmessage.TypeA)
			require.NoError(t, err)
			require.NotEqual(t, "10.6.6.6", a.Records[0].Text())
		}
		require.Equal(t, []string{"10.0.0.1 udp a.test. A", "10.0.0.1 tcp a.test. A", "10.0.0.1 udp b.test. A", "10.0.0.1 tcp b.test. A"}, n.queries())
		require.Equal(t, 1, n.dials)
		require.EqualValues(t, 2, r.Stats().Truncated.Value())
		time.Sleep(idleTime)
		synctest.Wait()
		require.Empty(t, r.streams.open)
		_, err := r.Query(background, "c.test.", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Equal(t, 2, n.dials)
	})
}

// With use-vc no query goes over UDP. Queries do not wait for each other, and answers may come in any order. DNS-021, DNS-035.
func TestPipelined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		var first *sent
		n.add("10.0.0.1", func(q *sent) [][]byte {
			if first == nil {
				first = q
				return nil
			}
			answer := func(q *sent) []byte { return q.reply(t, q.name()+" 60 TXT "+q.name()) }
			return [][]byte{answer(q), answer(first)}
		})
		r := n.resolver(Config{Settings: Settings{UseTCP: true}}, "10.0.0.1")
		var wg sync.WaitGroup
		for _, name := range []string{"a.test.", "b.test."} {
			wg.Go(func() {
				got, err := r.LookupTXT(background, name)
				require.NoError(t, err)
				require.Equal(t, []string{name}, got)
			})
		}
		wg.Wait()
		require.Equal(t, 1, n.dials)
		for _, q := range n.logged() {
			require.Equal(t, "tcp", q.proto)
		}
	})
}

// A query that a close cuts off is asked once more on a new connection. A server that always closes is a failed one. DNS-021.
func TestClosedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		known := zone(t, "a.test. 60 A 10.0.0.9", "b.test. 60 A 10.0.0.9")
		n.add("10.0.0.1", func(q *sent) [][]byte { return append(known(q), nil) }) // closes behind each answer
		n.add("10.0.0.2", func(q *sent) [][]byte { return [][]byte{nil} })
		r := n.resolver(Config{Settings: Settings{UseTCP: true}}, "10.0.0.1")
		for _, name := range []string{"a.test.", "b.test."} {
			_, err := r.Query(background, name, dnsmessage.TypeA)
			require.NoError(t, err)
		}
		never := n.resolver(Config{Settings: Settings{UseTCP: true, Attempts: 1}}, "10.0.0.2")
		_, err := never.Query(background, "a.test.", dnsmessage.TypeA)
		require.EqualError(t, err, "lookup a.test.: 10.0.0.2: the server closed the connection")
		nowhere := n.resolver(Config{Settings: Settings{UseTCP: true, Attempts: 1}}, "10.0.0.3")
		_, err = nowhere.Query(background, "a.test.", dnsmessage.TypeA)
		require.EqualError(t, err, "lookup a.test.: 10.0.0.3: connection refused")
	})
}

// slowConn reads one byte at a time and records the writes.
type slowConn struct {
	net.Conn
	writes *[][]byte
}

func (c slowConn) Read(b []byte) (int, error) { return c.Conn.Read(b[:min(len(b), 1)]) }
func (c slowConn) Write(b []byte) (int, error) {
	*c.writes = append(*c.writes, bytes.Clone(b))
	return c.Conn.Write(b)
}

// Messages over TCP have a length, which is written together with the message, and arrive in pieces of any size. DNS-020.
func TestPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1:853", zone(t, "a.test. 60 A 10.0.0.9"))
		var writes [][]byte
		r := n.resolver(Config{Secure: func(c net.Conn) net.Conn { return slowConn{c, &writes} }}, "10.0.0.1")
		_, err := r.Query(background, "a.test.", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Len(t, writes, 1)
		require.Equal(t, len(writes[0])-2, int(writes[0][0])<<8|int(writes[0][1]))
	})
}

// A connection with a silent server does not make a query wait longer than the timeout.
func TestSilentStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", silent)
		r := n.resolver(Config{Settings: Settings{UseTCP: true, Attempts: 1}}, "10.0.0.1")
		_, err := r.Query(background, "a.test.", dnsmessage.TypeA)
		require.EqualError(t, err, "lookup a.test.: 10.0.0.1: no answer within 5s")
		require.Equal(t, 5*time.Second, time.Since(n.start))
		r.Close()
		require.Empty(t, r.streams.open)
	})
}

// DNS over TLS asks at port 853, never in the clear, and only a server that proves its name (RFC 7858 sections 3.1 and 4.2).
func TestTLS(t *testing.T) {
	certificate, roots := selfSigned(t)
	for _, name := range []string{"dns.test", "other.test"} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			known := zone(t, "a.test. 60 A 10.0.0.9", "b.test. 60 A 10.0.0.9")
			server := n.add("10.0.0.1:853", known)
			r := New(Config{
				Settings: Settings{Servers: []netip.AddrPort{netip.AddrPortFrom(server.Addr(), 0)}, Attempts: 1},
				Dial:     n.dialTLS(certificate),
				Secure:   func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{ServerName: name, RootCAs: roots}) },
			})
			defer r.Close()
			_, err := r.Query(background, "a.test.", dnsmessage.TypeA)
			if name == "other.test" {
				require.ErrorContains(t, err, "certificate is valid for dns.test")
				require.Empty(t, n.queries())
				return
			}
			require.NoError(t, err)
			_, err = r.Query(background, "b.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			require.Equal(t, 1, n.dials)
		})
	}
}
