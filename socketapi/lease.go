package socketapi

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/ip"
	"tunstack/link"
)

// This file has what a program needs that leases addresses from a server, as package dhcp does.

// MAC returns the address of a TAP device's interface. The error is ENODEV for any other interface.
func (s *Stack) MAC(device string) (link.MAC, error) {
	at, err := s.attachment(device)
	if err != nil {
		return link.MAC{}, err
	}
	if at.ethernet == nil {
		return link.MAC{}, syscall.ENODEV
	}
	return at.ethernet.MAC(), nil
}

// SetLifetimes sets how long, from now on, an address is preferred as a source and valid; Forever: without an end. The stack removes it
// when it is no longer valid. Errors: ENODEV without such an interface, EADDRNOTAVAIL for an address that it does not have.
func (s *Stack) SetLifetimes(device string, addr netip.Addr, preferred, valid time.Duration) error {
	at, err := s.attachment(device)
	if err != nil {
		return err
	}
	return at.ip.SetLifetimes(s.Now(), addr, preferred, valid)
}

// SetMTU4 sets the largest IPv4 datagram in bytes that is sent by an interface; 0, or more than the device's MTU: the device's MTU. Errors:
// ENODEV without such an interface, EINVAL below 68 (RFC 791 section 3.2).
func (s *Stack) SetMTU4(device string, mtu int) error {
	at, err := s.attachment(device)
	switch {
	case err != nil:
		return err
	case mtu != 0 && mtu < minMTU4:
		return syscall.EINVAL
	}
	at.ip.SetLinkMTU4(mtu)
	return nil
}

// minMTU4 is the smallest MTU of an IPv4 link.
const minMTU4 = 68

// WatchLost calls lost with each address that the stack has given up because another host uses it (see link.Defence), until stop is called.
// lost runs on the goroutine that reads the device and must not block; a call that has begun may end after stop.
func (s *Stack) WatchLost(lost func(*link.Conflict)) (stop func()) { return s.lost.add(lost) }

// SetNoAddr makes the socket's limited broadcasts leave from 0.0.0.0, whatever addresses the stack has: those of a DHCP client (RFC 2131
// section 4.1). The other datagrams leave as before.
func (c *PacketConn) SetNoAddr(on bool) {
	c.so.setIP(func(o *ip.SocketOptions) { o.NoAddr = on })
}
