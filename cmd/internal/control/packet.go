package control

import (
	"net"
	"sync/atomic"
)

// packetListener makes a net.Listener from a UDP port: the first sender is the peer of its one connection.
type packetListener struct {
	net.PacketConn
	accepted atomic.Bool
}

// Addr implements net.Listener.
func (l *packetListener) Addr() net.Addr { return l.LocalAddr() }

// Accept waits for the first datagram.
func (l *packetListener) Accept() (net.Conn, error) {
	b := make([]byte, maxFrame)
	n, peer, err := l.ReadFrom(b)
	if err != nil {
		return nil, err
	}
	l.accepted.Store(true)
	return &packetConn{PacketConn: l.PacketConn, peer: peer, first: b[:n]}, nil
}

// Close closes the port, unless it has become the connection's.
func (l *packetListener) Close() error {
	if l.accepted.Load() {
		return nil
	}
	return l.PacketConn.Close()
}

// packetConn is a UDP port with one peer.
type packetConn struct {
	net.PacketConn
	peer  net.Addr
	first []byte // the datagram that created it; nil once read
}

// RemoteAddr implements net.Conn.
func (c *packetConn) RemoteAddr() net.Addr { return c.peer }

// Read returns the next datagram of the peer.
func (c *packetConn) Read(b []byte) (int, error) {
	if c.first != nil {
		n := copy(b, c.first)
		c.first = nil
		return n, nil
	}
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil || from.String() == c.peer.String() {
			return n, err
		}
	}
}

// Write sends the peer a datagram.
func (c *packetConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.peer) }
