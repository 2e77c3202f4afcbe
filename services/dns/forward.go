package dns

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Times of a query that is passed on: of each try, and in all, before the client asks again.
const (
	tryTime   = 2 * time.Second
	totalTime = 5 * time.Second
)

// forward asks the servers in turn, for a client with an address. If none has an answer, or too many queries wait already, the answer is
// SERVFAIL.
func (s *server) forward(q *query, from netip.Addr) *dns.Msg {
	failed := q.answer(dns.RcodeServerFailure)
	failed.RecursionAvailable = true
	if !s.seats.Take(from) {
		return failed
	}
	defer s.seats.Leave(from)
	ctx, cancel := context.WithTimeout(s.ctx, totalTime)
	defer cancel()
	for _, server := range s.Forward {
		m := s.ask(ctx, server, q, true)
		if m != nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
			m = s.ask(ctx, server, q, false) // RFC 6891 section 6.2.2
		}
		if m != nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
			return q.passed(m)
		}
	}
	return failed
}

// passed is the answer of a server as the client gets it. Nobody has verified what it says about signatures.
func (q *query) passed(from *dns.Msg) *dns.Msg {
	m := q.answer(from.Rcode)
	m.RecursionAvailable = true
	m.Answer, m.Ns = from.Answer, from.Ns
	for _, rr := range from.Extra {
		switch rr.Header().Rrtype {
		case dns.TypeOPT, dns.TypeTSIG, dns.TypeSIG: // of this hop only
		default:
			m.Extra = append(m.Extra, rr)
		}
	}
	return m
}

// ask sends the question to a server, over UDP and if the answer is truncated over TCP. The result is nil if there is none.
func (s *server) ask(ctx context.Context, server netip.AddrPort, q *query, edns bool) *dns.Msg {
	for _, network := range []string{"udp", "tcp"} {
		m := s.exchange(ctx, network, server, q, edns)
		if m == nil || !m.Truncated {
			return m
		}
	}
	return nil
}

// request is the query to a server.
func (q *query) request(edns bool) *dns.Msg {
	m := &dns.Msg{Question: q.Question}
	m.Id, m.RecursionDesired, m.CheckingDisabled = dns.Id(), true, q.CheckingDisabled
	if edns {
		m.SetEdns0(ednsSize, q.opt != nil && q.opt.Do())
	}
	return m
}

// exchange asks a server once.
func (s *server) exchange(ctx context.Context, network string, server netip.AddrPort, q *query, edns bool) *dns.Msg {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	port := server.Port()
	if port == 0 {
		port = Port
	}
	c, err := s.Dial(ctx, network, netip.AddrPortFrom(server.Addr(), port).String())
	if err != nil {
		return nil
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	m := q.request(edns)
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	receive := datagram
	if network == "tcp" {
		receive = stream
		b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	if _, err := c.Write(b); err != nil {
		return nil
	}
	for {
		b, err := receive(c)
		if err != nil {
			return nil
		}
		if got := new(dns.Msg); got.Unpack(b) == nil && answers(m, got) { // else a forgery, or of another query (RFC 5452 section 9.1)
			return got
		}
	}
}

// answers reports whether got answers m.
func answers(m, got *dns.Msg) bool {
	if got.Id != m.Id || !got.Response || len(got.Question) != 1 {
		return false
	}
	a, b := m.Question[0], got.Question[0]
	return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}

func datagram(c net.Conn) ([]byte, error) {
	b := make([]byte, 4096) // some servers exceed what they are told
	n, err := c.Read(b)
	return b[:n], err
}

func stream(c net.Conn) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(c, b)
	return b, err
}
