package dns

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// fakeNet is a network of name servers. What they send arrives at once; time passes only where a server or the resolver waits.
type fakeNet struct {
	t     *testing.T
	start time.Time

	mu      sync.Mutex
	servers map[netip.AddrPort]handler
	log     []sent
	dials   int // TCP connections
}

// handler answers a query with any number of messages.
type handler func(q *sent) [][]byte

// sent is a query that arrived at a server.
type sent struct {
	server netip.AddrPort
	proto  string
	raw    []byte
	msg    dnsmessage.Message
	at     time.Duration
}

func newNet(t *testing.T) *fakeNet {
	return &fakeNet{t: t, start: time.Now(), servers: map[netip.AddrPort]handler{}}
}

// add adds a server at an address, port 53, or at an address with a port.
func (n *fakeNet) add(server string, h handler) netip.AddrPort {
	a, err := netip.ParseAddrPort(server)
	if err != nil {
		a = netip.AddrPortFrom(netip.MustParseAddr(server), 53)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[a] = h
	return a
}

// dial implements Config.Dial. Where no server is, the port is unreachable.
func (n *fakeNet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	a := netip.MustParseAddrPort(address)
	n.mu.Lock()
	h := n.servers[a]
	if network == "tcp" {
		n.dials++
	}
	n.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case h == nil:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	go n.serve(server, network, a)
	return client, nil
}

func (n *fakeNet) serve(c net.Conn, network string, a netip.AddrPort) {
	defer c.Close()
	for {
		raw, err := readMessage(c, network)
		if err != nil {
			return
		}
		q := sent{server: a, proto: network, raw: raw, at: time.Since(n.start)}
		if err := q.msg.Unpack(raw); err != nil {
			n.t.Errorf("the resolver sent a bad message: %v", err)
			return
		}
		n.mu.Lock()
		n.log = append(n.log, q)
		h := n.servers[a]
		n.mu.Unlock()
		for _, answer := range h(&q) {
			if answer == nil {
				return // closes the connection
			}
			if network == "tcp" {
				answer = append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

func readMessage(c net.Conn, network string) ([]byte, error) {
	b := make([]byte, 64<<10)
	if network == "udp" {
		k, err := c.Read(b)
		return b[:k], err
	}
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return nil, err
	}
	b = b[:binary.BigEndian.Uint16(b)]
	_, err := io.ReadFull(c, b)
	return b, err
}

// queries are the queries so far, as "10.0.0.1 udp host. A".
func (n *fakeNet) queries() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for _, q := range n.log {
		list = append(list, strings.Join([]string{q.server.Addr().String(), q.proto, q.name(), TypeName(q.typ())}, " "))
	}
	return list
}

func (n *fakeNet) logged() []sent {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

func (q *sent) name() string         { return q.msg.Questions[0].Name.String() }
func (q *sent) typ() dnsmessage.Type { return q.msg.Questions[0].Type }
func (q *sent) edns() bool           { return len(q.msg.Additionals) > 0 }
func (q *sent) base() (m dnsmessage.Message) {
	m.Header = dnsmessage.Header{ID: q.msg.ID, Response: true, RecursionDesired: true, RecursionAvailable: true}
	m.Questions = q.msg.Questions
	return m
}

// reply builds a message: "name ttl TYPE data" for each record of the answer.
func (q *sent) reply(t *testing.T, records ...string) []byte {
	m := q.base()
	for _, r := range records {
		m.Answers = append(m.Answers, record(t, r))
	}
	return pack(t, &m)
}

// deny builds a negative answer, with an SOA record unless ttl is below 0.
func (q *sent) deny(t *testing.T, code dnsmessage.RCode, ttl, minimum int, records ...string) []byte {
	m := q.base()
	m.RCode = code
	for _, r := range records {
		m.Answers = append(m.Answers, record(t, r))
	}
	if ttl >= 0 {
		m.Authorities = []dnsmessage.Resource{{
			Header: header("test.", dnsmessage.TypeSOA, uint32(ttl)),
			Body: &dnsmessage.SOAResource{
				NS: dnsmessage.MustNewName("ns.test."), MBox: dnsmessage.MustNewName("root.test."), MinTTL: uint32(minimum),
			},
		}}
	}
	return pack(t, &m)
}

// fail builds an answer with only an error code.
func (q *sent) fail(t *testing.T, code dnsmessage.RCode) []byte { return q.deny(t, code, -1, 0) }

func pack(t *testing.T, m *dnsmessage.Message) []byte {
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

func header(name string, typ dnsmessage.Type, ttl uint32) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET, TTL: ttl}
}

// zone is a handler that knows some records, and that names under test. do not exist otherwise.
func zone(t *testing.T, records ...string) handler {
	return func(q *sent) [][]byte {
		var answers []string
		exists := false
		for _, r := range records {
			rr := record(t, r)
			if fold(rr.Header.Name.String()) != fold(q.name()) {
				continue
			}
			exists = true
			if rr.Header.Type == q.typ() {
				answers = append(answers, r)
			}
		}
		switch {
		case len(answers) > 0:
			return [][]byte{q.reply(t, answers...)}
		case exists:
			return [][]byte{q.deny(t, dnsmessage.RCodeSuccess, 60, 60)}
		}
		return [][]byte{q.deny(t, dnsmessage.RCodeNameError, 60, 60)}
	}
}

func silent(*sent) [][]byte { return nil }

// resolver returns a Resolver with the servers of the network, which the test closes.
func (n *fakeNet) resolver(cfg Config, servers ...string) *Resolver {
	cfg.Dial = n.dial
	for _, s := range servers {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			a = netip.AddrPortFrom(netip.MustParseAddr(s), 0)
		}
		cfg.Servers = append(cfg.Servers, a)
	}
	r := New(cfg)
	n.t.Cleanup(r.Close)
	return r
}
