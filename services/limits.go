package services

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// limits bound what the clients of a TCP service take at once. A connection beyond them is reset as soon as it is accepted.
type limits struct {
	total  int           // connections
	source int           // connections from one address
	idle   time.Duration // a connection on which no byte moves for so long is closed
}

var (
	// cheap is for services that keep nothing for a connection but its goroutine.
	cheap = limits{total: 65536, source: 16384, idle: 30 * time.Minute}
	// typed is for services that keep a line, which a person types.
	typed = limits{total: 4096, source: 1024, idle: 10 * time.Minute}
	// pageConns is for the web page. Browsers open six connections to a server; idle is that of a connection between requests.
	pageConns = limits{total: 256, source: 32, idle: time.Minute}
)

// seats are the places for clients that limits leave.
type seats struct {
	limits

	mu      sync.Mutex
	taken   int
	sources map[netip.Addr]int
}

func newSeats(l limits) *seats { return &seats{limits: l, sources: map[netip.Addr]int{}} }

// take takes a seat for a client from this address, and says whether there was one.
func (s *seats) take(from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == s.total || s.sources[from] == s.source {
		return false
	}
	s.taken++
	s.sources[from]++
	return true
}

// leave gives back a seat that take has given.
func (s *seats) leave(from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.sources[from]--; s.sources[from] == 0 {
		delete(s.sources, from)
	}
	if s.taken == 0 {
		s.sources = map[netip.Addr]int{} // a Go map never shrinks
	}
}

// sourceOf is the peer's address; the zero Addr if it has none, as in a pipe.
func sourceOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// refuse resets a connection: to close it in good order would keep it for as long as its peer likes.
func refuse(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		_ = l.SetLinger(0) // fails only if the connection has ended
	}
	c.Close()
}

// seatedListener accepts only connections for which there is a seat, and gives each a send buffer of so many bytes. It is for
// net/http, which keeps its connections itself.
type seatedListener struct {
	net.Listener
	seats      *seats
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
		if l.seats.take(from) {
			if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
				_ = b.SetWriteBuffer(l.sendBuffer) // fails only if the connection has ended
			}
			return &seatedConn{c, sync.OnceFunc(func() { l.seats.leave(from) })}, nil
		}
		refuse(c)
	}
}

// seatedConn gives its seat back when it is closed.
type seatedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *seatedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite is for net/http, which says that it has sent all before it closes.
func (c *seatedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
