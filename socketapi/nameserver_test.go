package socketapi

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"tunstack/dns"
)

// nameServer is a name server on a stack, over UDP and TCP.
type nameServer struct {
	host
	udp net.PacketConn
	tcp net.Listener

	running sync.WaitGroup
	ended   context.Context

	delay    map[string]time.Duration // by type: before an answer
	code     dnsmessage.RCode         // of all answers, unless 0
	truncate bool                     // all answers over UDP
	forge    func(q question)         // sends something before the answer

	mu    sync.Mutex
	zone  []string // "name TYPE data"
	asked []question
}

// question is a query that arrived.
type question struct {
	dnsmessage.Message
	network string
	from    netip.AddrPort
}

func (q question) String() string {
	return q.network + " " + q.Questions[0].Name.String() + " " + dns.TypeName(q.Questions[0].Type)
}

// serveNames starts a name server with some records, which the test's end closes.
func (h host) serveNames(at string, zone ...string) *nameServer {
	h.t.Helper()
	ended, end := context.WithCancel(context.Background())
	s := &nameServer{host: h, zone: zone, ended: ended}
	var err error
	s.udp, err = h.Stack.ListenPacket("udp", at)
	require.NoError(h.t, err)
	s.tcp, err = h.Stack.Listen("tcp", at)
	require.NoError(h.t, err)
	s.running.Go(s.serveUDP)
	s.running.Go(s.serveTCP)
	h.t.Cleanup(func() {
		s.udp.Close()
		s.tcp.Close()
		end()
		s.running.Wait()
	})
	return s
}

// asks makes the stack use name servers.
func (h host) asks(servers ...string) {
	n := NameServers{Source: NamesConfig}
	for _, s := range servers {
		n.Servers = append(n.Servers, ap(s))
	}
	h.SetNameServers(n)
}

func (s *nameServer) serveUDP() {
	b := make([]byte, 1500)
	for {
		n, from, err := s.udp.ReadFrom(b)
		if err != nil {
			return
		}
		q := question{network: "udp", from: from.(*net.UDPAddr).AddrPort()}
		if q.Unpack(b[:n]) != nil {
			continue
		}
		s.running.Go(func() {
			if answer := s.answer(q); answer != nil {
				_, _ = s.udp.WriteTo(answer, from) // fails only when the test is over
			}
		})
	}
}

func (s *nameServer) serveTCP() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		stop := context.AfterFunc(s.ended, func() { c.Close() })
		s.running.Go(func() {
			defer stop()
			s.serveStream(c)
		})
	}
}

func (s *nameServer) serveStream(c net.Conn) {
	defer c.Close()
	for {
		b := make([]byte, 2)
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		b = make([]byte, binary.BigEndian.Uint16(b))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		q := question{network: "tcp", from: c.RemoteAddr().(*net.TCPAddr).AddrPort()}
		if q.Unpack(b) != nil {
			return
		}
		answer := s.answer(q)
		_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) // fails only when the client has gone
	}
}

// answer notes a query, and answers it after the delay of its type.
func (s *nameServer) answer(q question) []byte {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	forge := s.forge
	s.mu.Unlock()
	if forge != nil {
		forge(q)
	}
	asked := q.Questions[0]
	time.Sleep(s.delay[dns.TypeName(asked.Type)])
	m := dnsmessage.Message{Questions: q.Questions}
	m.Header = dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true, RCode: s.code}
	m.Truncated = s.truncate && q.network == "udp"
	known := false
	if s.code == 0 && !m.Truncated {
		known = s.records(asked.Name.String(), asked.Type, &m)
	}
	if !known && s.code == 0 && !m.Truncated {
		m.RCode = dnsmessage.RCodeNameError
	}
	b, err := m.Pack()
	require.NoError(s.t, err)
	return b
}

// records adds the records of a name and a type, and of the names for which it is an alias. It reports whether the name exists.
func (s *nameServer) records(name string, typ dnsmessage.Type, m *dnsmessage.Message) (known bool) {
	s.mu.Lock()
	zone := slices.Clone(s.zone)
	s.mu.Unlock()
	for _, line := range zone {
		f := strings.Fields(line)
		if f[0] != strings.ToLower(name) {
			continue
		}
		known = true
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: 60}
		switch {
		case f[1] == "CNAME":
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(f[2])}})
			s.records(f[2], typ, m)
		case f[1] == dns.TypeName(typ):
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: bodyOf(f[1], f[2])})
		}
	}
	return known
}

func bodyOf(typ, text string) dnsmessage.ResourceBody {
	switch typ {
	case "A":
		return &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()}
	case "AAAA":
		return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(text).As16()}
	case "PTR":
		return &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(text)}
	}
	return &dnsmessage.TXTResource{TXT: []string{text}}
}

// forget removes the records of a type.
func (s *nameServer) forget(typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = slices.DeleteFunc(s.zone, func(line string) bool { return strings.Fields(line)[1] == typ })
}

// queries are the queries so far.
func (s *nameServer) queries() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.asked {
		list = append(list, q.String())
	}
	return list
}
