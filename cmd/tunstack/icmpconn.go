package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/icmp"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/services/mdns"
	"tunstack/socketapi"
)

// DialContext implements control.Stack. A raw ICMP connection is one for ping, see icmpConn, and one to the group of multicast DNS receives
// from all.
func (h host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if group, err := netip.ParseAddrPort(address); err == nil && strings.HasPrefix(network, "udp") && mdns.IsGroup(group) {
		return mdns.Dial(ctx, h.Stack, network, group)
	}
	c, err := h.Stack.DialContext(ctx, network, address)
	switch {
	case err != nil:
		return nil, err
	case network == icmpmsg.Of(any4).Socket():
		defer c.Close()
		return h.dialICMP(network, c, filter4)
	case network == icmpmsg.Of(any6).Socket():
		defer c.Close()
		return h.dialICMP(network, c, filter6)
	}
	return c, nil
}

// icmpConn is a raw ICMP socket that sends to one host and, unlike a connected one, receives from all, because routers on the
// way send errors. Read returns whole IP datagrams, because ping prints their TTL.
type icmpConn struct {
	net.PacketConn
	socket        *socketapi.PacketConn
	stack         *socketapi.Stack
	local, remote net.Addr
	six           bool
}

// dialICMP makes an icmpConn between the addresses of c, whose socket prepare prepares.
func (h host) dialICMP(network string, c net.Conn, prepare func(s socketapi.Berkeley, fd int) error) (net.Conn, error) {
	p, err := h.ListenPacket(network, "")
	if err != nil {
		return nil, err
	}
	socket := p.(*socketapi.PacketConn)
	if err := prepare(h.Berkeley(), socket.Descriptor()); err != nil {
		p.Close()
		return nil, err
	}
	six := network == icmpmsg.Of(any6).Socket()
	return &icmpConn{p, socket, h.Stack, c.LocalAddr(), c.RemoteAddr(), six}, nil
}

// Types of the ICMP requests (RFC 792), which ping does not use. They are filtered out: otherwise ping would receive a flood of
// requests to the stack, too.
const icmpRequests = 1<<8 | 1<<13 | 1<<15 | 1<<17

func filter4(s socketapi.Berkeley, fd int) error {
	return s.SetSockOpt(fd, socketapi.SOL_RAW, socketapi.ICMP_FILTER, icmpRequests)
}

// filter6 passes the errors and the echo replies of ICMPv6, and asks for their hop limits.
func filter6(s socketapi.Berkeley, fd int) error {
	var blocked socketapi.ICMP6Filter
	for i := range blocked {
		blocked[i] = ^uint32(0)
	}
	for _, typ := range []int{icmp.Unreachable6, icmp.PacketTooBig, icmp.TimeExceeded6, icmp.ParameterProblem6, icmp.EchoReply6} {
		blocked[typ/32] &^= 1 << (typ % 32)
	}
	return errors.Join(s.SetSockOpt(fd, socketapi.IPPROTO_ICMPV6, socketapi.ICMP6_FILTER, blocked),
		s.SetSockOpt(fd, socketapi.IPPROTO_IPV6, socketapi.IPV6_RECVHOPLIMIT, 1))
}

// Read implements net.Conn.
func (c *icmpConn) Read(b []byte) (int, error) {
	read := c.read4
	if c.six {
		read = c.read6
	}
	n, err := read(b)
	if errors.Is(err, syscall.EBADF) {
		return 0, net.ErrClosed
	}
	if n == 0 && err == nil {
		err = io.EOF // a datagram is never empty
	}
	return max(n, 0), err
}

func (c *icmpConn) read4(b []byte) (int, error) {
	return c.stack.Berkeley().Recv(c.socket.Descriptor(), b, 0)
}

// read6 puts the header in front of a message, which a raw socket of IPv6 receives without it.
func (c *icmpConn) read6(b []byte) (int, error) {
	if len(b) < ipv6.HeaderLen {
		return 0, syscall.EINVAL
	}
	n, m, err := c.stack.Berkeley().RecvMsg(c.socket.Descriptor(), b[ipv6.HeaderLen:], 0)
	if n <= 0 || err != nil {
		return 0, err
	}
	header := b[:ipv6.HeaderLen]
	clear(header)
	header[0], header[6], header[7] = 6<<4, ip.ProtocolICMPv6, m.TTL
	binary.BigEndian.PutUint16(header[4:], uint16(n))
	copy(header[8:], m.Addr.Addr().AsSlice())
	return ipv6.HeaderLen + n, nil
}

// Write implements net.Conn.
func (c *icmpConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.remote) }

// LocalAddr implements net.Conn.
func (c *icmpConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *icmpConn) RemoteAddr() net.Addr { return c.remote }
