package socketapi

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// netError gives a socket's error the form of package net: *net.OpError around an os.SyscallError,
// os.ErrDeadlineExceeded or net.ErrClosed.
func netError(op, network string, source, addr net.Addr, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	_, plain := err.(syscall.Errno)
	switch {
	case errors.Is(err, syscall.EBADF): // the socket or the stack is closed
		err = net.ErrClosed
	case errors.Is(err, syscall.EAGAIN):
		err = os.ErrDeadlineExceeded
	case plain:
		err = os.NewSyscallError(op, err)
	}
	return &net.OpError{Op: op, Net: network, Source: source, Addr: addr, Err: err}
}

// netAddr is the net.Addr of an address for the kind of socket; nil for an invalid address.
func netAddr(typ int, a netip.AddrPort) net.Addr {
	if !a.Addr().IsValid() {
		return nil
	}
	switch typ {
	case SOCK_STREAM:
		return net.TCPAddrFromAddrPort(a)
	case SOCK_DGRAM:
		return net.UDPAddrFromAddrPort(a)
	}
	return &net.IPAddr{IP: a.Addr().AsSlice(), Zone: a.Addr().Zone()}
}

// addrPort is the inverse of netAddr.
func addrPort(a net.Addr) (netip.AddrPort, error) {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort(), nil
	case *net.UDPAddr:
		return a.AddrPort(), nil
	case *net.IPAddr:
		addr, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			return netip.AddrPort{}, syscall.EINVAL
		}
		return netip.AddrPortFrom(addr.WithZone(a.Zone), 0), nil
	}
	return netip.AddrPort{}, syscall.EINVAL
}
