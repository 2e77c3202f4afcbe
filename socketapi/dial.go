package socketapi

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"

	"tunstack/ip"
)

// maxBacklog is the number of connections that may wait for Accept on a listener made by Stack.Listen.
const maxBacklog = 4096

// Dial connects to an address as net.Dial does. The networks are "tcp", "udp", and "ip:" with a protocol's name or number; "tcp4", "tcp6"
// and so on use one version of IP only. The Conn is a *TCPConn or a *PacketConn. The Resolver looks host names up; TCP connects to
// the address that answers first (RFC 8305). An IPv6 link-local address names its interface as zone: "[fe80::1%tun0]:80".
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// DialContext is Dial that gives up when ctx ends, and then fails with its error.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n, err := parseNetwork(network)
	if err != nil {
		return nil, netError("dial", network, nil, nil, err)
	}
	d, err := s.destination(n, address, false)
	if err != nil {
		return nil, netError("dial", network, nil, nil, err)
	}
	if n.typ == SOCK_STREAM && !d.addr.IsValid() {
		return s.race(ctx, d)
	}
	addrs, err := s.resolve(ctx, d, func([]netip.Addr) {})
	if err != nil {
		return nil, netError("dial", network, nil, nil, err)
	}
	var first error
	for _, a := range addrs {
		addr := d.at(a)
		c, err := s.dial(ctx, n, addr)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = netError("dial", network, nil, netAddr(n.typ, addr), err)
		}
	}
	return nil, first
}

func (s *Stack) dial(ctx context.Context, n network, addr netip.AddrPort) (net.Conn, error) {
	so, err := s.openNet(n, n.socketFor(addr.Addr()))
	if err != nil {
		return nil, err
	}
	if err := so.connectContext(ctx, addr); err != nil {
		so.close()
		return nil, err
	}
	if n.typ == SOCK_STREAM {
		return newTCPConn(so, n.name), nil
	}
	return newPacketConn(so, n.name), nil
}

// connectContext connects. When ctx ends it sets a passed deadline for sending, which ends the call.
func (so *socket) connectContext(ctx context.Context, addr netip.AddrPort) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	stop := context.AfterFunc(ctx, func() {
		so.wr.deadline.Store(past)
		so.wake()
	})
	err := so.connect(addr)
	if !stop() {
		return ctx.Err()
	}
	return os.NewSyscallError("connect", err)
}

// openNet makes a socket with the options that package net sets.
func (s *Stack) openNet(n network, v ip.Versions) (*socket, error) {
	so, err := s.open(v, n.typ, n.proto)
	if err != nil {
		return nil, err
	}
	name := SO_REUSEADDR
	if n.typ != SOCK_STREAM {
		name = SO_BROADCAST
	}
	if err := so.setOption(SOL_SOCKET, name, 1); err != nil {
		so.close()
		return nil, err
	}
	return so, nil
}

// Listen waits for connections to an address as net.Listen does: "tcp", "tcp4" or "tcp6", and a host that is this stack's or none.
// Without a host, or with 0.0.0.0 or ::, "tcp" accepts connections over both versions of IP.
// The Listener is a *TCPListener.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	so, addr, err := s.bindNet(network, address, SOCK_STREAM)
	if err != nil {
		return nil, netError("listen", network, nil, addr, err)
	}
	if err := so.Listen(maxBacklog); err != nil {
		so.close()
		return nil, netError("listen", network, nil, addr, err)
	}
	return &TCPListener{netSocket{so, network, so.name(), netip.AddrPort{}}}, nil
}

// ListenPacket receives datagrams to an address as net.ListenPacket does. The PacketConn is a *PacketConn.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	so, addr, err := s.bindNet(network, address, SOCK_DGRAM, SOCK_RAW)
	if err != nil {
		return nil, netError("listen", network, nil, addr, err)
	}
	return newPacketConn(so, network), nil
}

// bindNet makes a socket of one of the types and binds it to an address. The net.Addr is for an error.
func (s *Stack) bindNet(name, address string, types ...int) (*socket, net.Addr, error) {
	n, err := parseNetwork(name)
	if err != nil || !slices.Contains(types, n.typ) {
		return nil, nil, net.UnknownNetworkError(name)
	}
	d, err := s.destination(n, address, true)
	if err != nil {
		return nil, nil, err
	}
	addrs, err := s.resolve(context.Background(), d, func([]netip.Addr) {})
	if err != nil {
		return nil, nil, err
	}
	at := d.at(addrs[0])
	addr := netAddr(n.typ, at)
	so, err := s.openNet(n, n.socketFor(at.Addr()))
	if err != nil {
		return nil, addr, err
	}
	if err := so.bind(at); err != nil {
		so.close()
		return nil, addr, os.NewSyscallError("bind", err)
	}
	return so, addr, nil
}
