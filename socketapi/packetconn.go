package socketapi

import (
	"net"
	"net/netip"
	"syscall"
)

// PacketConn is a UDP or raw socket, connected or not. Its methods are those of net.UDPConn and net.IPConn.
type PacketConn struct{ netSocket }

func newPacketConn(so *socket, network string) *PacketConn {
	remote, _ := so.Remote()
	return &PacketConn{netSocket{so, network, so.name(), remote}}
}

// Read implements net.Conn: it receives one datagram, whose rest is lost if b is too short.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.receive(b)
	return n, c.error("read", err)
}

// ReadFrom implements net.PacketConn; the Addr is a *net.UDPAddr or *net.IPAddr.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.receive(b)
	return n, netAddr(int(c.so.typ), from), c.error("read", err)
}

// ReadFromAddrPort is ReadFrom without the allocation of an Addr.
func (c *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.receive(b)
	return n, from, c.error("read", err)
}

// RecvMsg receives one datagram, as Berkeley.RecvMsg does: Message.Local is the address to which it was sent. Of a raw socket of IPv4 the data
// begin with the IP header.
func (c *PacketConn) RecvMsg(b []byte) (int, Message, error) {
	n, m, err := c.so.receive(b, 0)
	return n, m, c.error("read", err)
}

// SendMsg sends one datagram to Message.Addr, as Berkeley.SendMsg does: Message.Local is its source. A connected socket needs no address.
func (c *PacketConn) SendMsg(b []byte, m Message) (int, error) {
	n, err := c.so.transmit(b, c.so.enveloped(&m), 0)
	return n, c.error("write", err)
}

// receive receives one datagram, and removes the IP header of an IPv4 raw socket's.
func (c *PacketConn) receive(b []byte) (int, netip.AddrPort, error) {
	n, m, err := c.so.receive(b, 0)
	if c.so.typ == SOCK_RAW && c.so.domain == AF_INET && err == nil {
		n = stripHeader(b, n)
	}
	return n, m.Addr, err
}

// stripHeader moves the payload behind the IP header to the front of b, as net.IPConn does, and returns its length.
func stripHeader(b []byte, n int) int {
	if n == 0 {
		return 0
	}
	return copy(b, b[min(int(b[0]&15)*4, n):n])
}

// Write implements net.Conn: it sends one datagram to the address that was dialled.
func (c *PacketConn) Write(b []byte) (int, error) {
	n, err := c.so.transmit(b, envelope{}, 0)
	return n, c.error("write", err)
}

// WriteTo implements net.PacketConn. On a connected socket it fails with net.ErrWriteToConnected.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := addrPort(addr)
	if err != nil {
		return 0, netError("write", c.network, c.LocalAddr(), addr, err)
	}
	return c.WriteToAddrPort(b, to)
}

// WriteToAddrPort is WriteTo without the allocation of an Addr.
func (c *PacketConn) WriteToAddrPort(b []byte, to netip.AddrPort) (n int, err error) {
	switch {
	case c.remote.Addr().IsValid():
		err = net.ErrWriteToConnected
	case !to.Addr().IsValid():
		err = syscall.EDESTADDRREQ
	default:
		n, err = c.so.transmit(b, envelope{to: to}, 0)
	}
	if err != nil {
		return n, netError("write", c.network, c.LocalAddr(), netAddr(int(c.so.typ), to), err)
	}
	return n, nil
}

// LocalAddr implements net.Conn; it is a *net.UDPAddr or *net.IPAddr.
func (c *PacketConn) LocalAddr() net.Addr { return netAddr(int(c.so.typ), c.local) }

// RemoteAddr implements net.Conn; nil if the socket is not connected.
func (c *PacketConn) RemoteAddr() net.Addr { return netAddr(int(c.so.typ), c.remote) }

// SetReadBuffer sets the bound of the receive queue in bytes.
func (c *PacketConn) SetReadBuffer(bytes int) error {
	return c.setOption(SOL_SOCKET, SO_RCVBUF, bytes)
}
