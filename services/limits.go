package services

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits bound the resources that the clients of a service use. A TCP connection beyond them is reset when it is accepted.
type Limits struct {
	Total  int           // connections
	Source int           // connections from one address, of IPv6 from one /64, in which a host has any address it likes
	Idle   time.Duration // a connection without traffic for this long is closed
}

var (
	// cheap is for services that keep only a goroutine per connection.
	cheap = Limits{Total: 65536, Source: 16384, Idle: 30 * time.Minute}
	// typed is for services that keep a line, which a person types.
	typed = Limits{Total: 4096, Source: 1024, Idle: 10 * time.Minute}
	// pageConns is for the web page. Browsers open six connections to a server; idle applies between requests.
	pageConns = Limits{Total: 256, Source: 32, Idle: time.Minute}
)

// Seats counts the clients that Limits still allow.
type Seats struct {
	Limits

	mu      sync.Mutex
	taken   int
	sources map[netip.Addr]int
}

// NewSeats returns Seats without a client.
func NewSeats(l Limits) *Seats { return &Seats{Limits: l, sources: map[netip.Addr]int{}} }

// Take takes a seat for a client from this address, and reports whether there was one.
func (s *Seats) Take(from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	from = sourceNetwork(from)
	if s.taken == s.Total || s.sources[from] == s.Source {
		return false
	}
	s.taken++
	s.sources[from]++
	return true
}

// Leave returns a seat taken with Take.
func (s *Seats) Leave(from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	from = sourceNetwork(from)
	if s.sources[from]--; s.sources[from] == 0 {
		delete(s.sources, from)
	}
	if s.taken == 0 {
		s.sources = map[netip.Addr]int{} // a Go map never shrinks
	}
}

// sourceNetwork is what a source is counted by: an IPv4 address, or the /64 of an IPv6 address.
func sourceNetwork(a netip.Addr) netip.Addr {
	if a = a.Unmap(); !a.Is6() {
		return a
	}
	return netip.PrefixFrom(a.WithZone(""), 64).Masked().Addr()
}

// sourceOf is the peer's address; the zero Addr if it has none, as in a pipe.
func sourceOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// refuse resets a connection: after an orderly close the peer would decide how long it stays.
func refuse(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		_ = l.SetLinger(0) // fails only if the connection has ended
	}
	c.Close()
}

// seatedListener accepts only connections for which there is a seat, and sets the send buffer of each. It is for net/http,
// which handles its connections itself.
type seatedListener struct {
	net.Listener
	seats      *Seats
	sendBuffer int
}

// Accept implements net.Listener.
func (l seatedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := sourceOf(c)
		if l.seats.Take(from) {
			if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
				_ = b.SetWriteBuffer(l.sendBuffer) // fails only if the connection has ended
			}
			return &seatedConn{c, sync.OnceFunc(func() { l.seats.Leave(from) })}, nil
		}
		refuse(c)
	}
}

// seatedConn returns its seat when it is closed.
type seatedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *seatedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite is for net/http, which sends a FIN before it closes.
func (c *seatedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
