// Package dns is the name server of a stack: it answers for the stack's own names, and passes other queries on if it is told to which
// servers. The wire format is that of github.com/miekg/dns.
package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"tunstack/services"
)

// Config describes a server.
type Config struct {
	// Hosts returns the hosts that the server knows. It is called for each query.
	Hosts func() []Host
	// Forward are the servers that are asked for other names; nil: such queries are refused. Port 0 is the usual one.
	Forward []netip.AddrPort
	// Dial connects to those servers: "udp" or "tcp", and an address with a port.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Host is a name with its addresses.
type Host struct {
	Name  string // services.Name or a name below it
	Addrs []netip.Addr
}

// Bounds on the resources of clients.
var (
	conns    = services.Limits{Total: 256, Source: 32, Idle: time.Minute}
	forwards = services.Limits{Total: 256, Source: 64} // queries that wait for a server
)

// connIdle is the time that a connection may need for the next query, or to take an answer (RFC 7766 section 6.2.3).
const connIdle = 10 * time.Second

// ednsSize is the largest UDP message that the server takes and sends: no link fragments it.
const ednsSize = 1232

// Port is the usual port of name servers.
const Port = 53

// Service returns the server for services.Start.
func Service(cfg Config) services.Service {
	s := &server{Config: cfg, seats: services.NewSeats(forwards)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return services.Service{Name: "dns", Port: Port, Doc: "answers for " + services.Name + " and the stack's addresses", TCP: s.tcp, UDP: s.udp}
}

type server struct {
	Config
	seats  *services.Seats
	ctx    context.Context // ends with the first of the ports
	cancel context.CancelFunc
}

// udp serves datagrams. Those that are passed on wait in goroutines of their own.
func (s *server) udp(p net.PacketConn) {
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer s.cancel()
	services.EachDatagram(func(r services.Request) {
		q := read(r.Data)
		if q == nil {
			return
		}
		if m := s.own(q); m != nil {
			r.Reply(q.finish(m, q.size))
			return
		}
		waiting.Go(func() { r.Reply(q.finish(s.forward(q, r.From.Addr()), q.size)) })
	})(p)
}

// tcp serves connections.
func (s *server) tcp(l net.Listener) {
	services.EachConn(conns, s.conn)(closing{l, s.cancel})
}

// closing ends what waits for other servers when its listener is closed.
type closing struct {
	net.Listener
	cancel context.CancelFunc
}

// Accept implements net.Listener.
func (l closing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if errors.Is(err, net.ErrClosed) {
		l.cancel()
	}
	return c, err
}

// conn answers the queries of a connection, one after the other.
func (s *server) conn(c net.Conn) {
	framed := dns.Conn{Conn: c}
	for {
		c.SetDeadline(time.Now().Add(connIdle))
		b, err := framed.ReadMsgHeader(nil)
		if err != nil {
			return
		}
		q := read(b)
		if q == nil {
			return
		}
		m := s.own(q)
		if m == nil {
			m = s.forward(q, address(c.RemoteAddr()))
		}
		if _, err := framed.Write(q.finish(m, dns.MaxMsgSize)); err != nil {
			return
		}
	}
}

// address is that of an end of a connection; the zero Addr if it has none, as in a pipe.
func address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
