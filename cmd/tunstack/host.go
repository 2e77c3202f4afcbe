package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"slices"
	"syscall"

	"tunstack/capture"
	"tunstack/cmd/internal/control"
	"tunstack/cmd/internal/icmpmsg"
	"tunstack/internal/clock"
	"tunstack/socketapi"
)

// host adapts a stack to control.Stack: *socketapi.Stack, the tables and the packets.
type host struct {
	*socketapi.Stack
	clock   *clock.Steady
	capture *capture.Capture
}

// Capture implements control.Stack.
func (h host) Capture() *capture.Capture { return h.capture }

// Hold implements control.Stack.
func (h host) Hold() { h.clock.Hold() }

// Release implements control.Stack.
func (h host) Release() { h.clock.Release() }

// Tables implements control.Stack.
func (h host) Tables() map[string]func() iter.Seq[any] {
	return map[string]func() iter.Seq[any]{
		"interfaces": table(h.Interfaces),
		"routes":     table(h.Routes),
		"neighbors":  table(h.Neighbors),
		"counters":   table(h.Counters),
		"sockets":    func() iter.Seq[any] { return control.Rows(h.AllSockets(false)) },
		"details":    func() iter.Seq[any] { return control.Rows(h.AllSockets(true)) },
	}
}

func table[T any](list func() []T) func() iter.Seq[any] {
	return func() iter.Seq[any] { return control.Rows(slices.Values(list())) }
}

// DialContext implements control.Stack. A raw ICMP connection is one for ping, see icmpConn.
func (h host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := h.Stack.DialContext(ctx, network, address)
	if err != nil || network != icmpmsg.Of(any4).Socket() {
		return c, err
	}
	defer c.Close()
	return h.dialICMP(network, c)
}

// icmpConn is a raw ICMP socket that sends to one host and, unlike a connected one, receives from all, because routers on the
// way send errors. Read returns whole IP datagrams, because ping prints their TTL.
type icmpConn struct {
	net.PacketConn
	socket        *socketapi.PacketConn
	stack         *socketapi.Stack
	local, remote net.Addr
}

// Types of the ICMP requests (RFC 792), which ping does not use. They are filtered out: otherwise ping would receive a flood of
// requests to the stack, too.
const icmpRequests = 1<<8 | 1<<13 | 1<<15 | 1<<17

// dialICMP makes an icmpConn between the addresses of c.
func (h host) dialICMP(network string, c net.Conn) (net.Conn, error) {
	p, err := h.ListenPacket(network, "")
	if err != nil {
		return nil, err
	}
	socket := p.(*socketapi.PacketConn)
	if err := h.Berkeley().SetSockOpt(socket.Descriptor(), socketapi.SOL_RAW, socketapi.ICMP_FILTER, icmpRequests); err != nil {
		p.Close()
		return nil, err
	}
	return &icmpConn{p, socket, h.Stack, c.LocalAddr(), c.RemoteAddr()}, nil
}

// Read implements net.Conn.
func (c *icmpConn) Read(b []byte) (int, error) {
	n, err := c.stack.Berkeley().Recv(c.socket.Descriptor(), b, 0)
	if errors.Is(err, syscall.EBADF) {
		return 0, net.ErrClosed
	}
	if n == 0 && err == nil {
		err = io.EOF // a datagram is never empty
	}
	return max(n, 0), err
}

// Write implements net.Conn.
func (c *icmpConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.remote) }

// LocalAddr implements net.Conn.
func (c *icmpConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *icmpConn) RemoteAddr() net.Addr { return c.remote }
