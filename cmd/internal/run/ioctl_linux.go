package run

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

const ifreqSize = 40 // struct ifreq

// Requests of asm-generic/sockios.h that x/sys lacks.
const (
	fiosetown    = 0x8901
	fiogetown    = 0x8903
	siocgstamp   = 0x8906
	siocgstampns = 0x8907
)

// ioctl handles the ioctl(2) requests of sockets. Those for the program's end alone, such as SIOCATMARK, are the kernel's.
func (s *Supervisor) ioctl(c notify.Call, so *socket, file int) *reply {
	t := s.tables
	switch request := uint32(c.Args[1]); request {
	case unix.TIOCINQ:
		return s.unread(c, so, file)
	case unix.TIOCOUTQ:
		r, err := s.do(so, sockets.Request{Op: sockets.OpIoctl, Args: [3]int{int(request)}}, -1)
		return writeInt(c, r.N, err)
	case unix.SIOCGIFCONF:
		return t.configuration(c)
	case unix.SIOCGIFNAME, unix.SIOCGIFINDEX, unix.SIOCGIFFLAGS, unix.SIOCGIFADDR, unix.SIOCGIFDSTADDR, unix.SIOCGIFBRDADDR,
		unix.SIOCGIFNETMASK, unix.SIOCGIFMTU, unix.SIOCGIFMETRIC, unix.SIOCGIFHWADDR, unix.SIOCGIFTXQLEN:
		return t.ifreq(c, request)
	case unix.SIOCATMARK, fiosetown, unix.SIOCSPGRP, fiogetown, unix.SIOCGPGRP:
		return proceed
	case siocgstamp, siocgstampns:
		return failed(unix.ENOENT)
	}
	return failed(unix.EPERM) // a change of the stack's configuration
}

// unread answers FIONREAD: the bytes that a stream can read, or the size of the next datagram.
func (s *Supervisor) unread(c notify.Call, so *socket, file int) *reply {
	switch {
	case so.listening:
		return failed(unix.EINVAL)
	case so.stream:
		return proceed
	}
	held, err := unix.IoctlGetInt(file, unix.TIOCINQ)
	if err == nil && held > 0 {
		held = so.datagrams.first(held)
	}
	return writeInt(c, held, err)
}

// writeInt is the reply of an ioctl that returns an int by its argument.
func writeInt(c notify.Call, n int, err error) *reply {
	if err == nil && notify.Write(c.Thread, c.Args[2], layoutInt(n)) != nil {
		err = unix.EFAULT
	}
	return returned(0, err)
}

// ifreq answers a request about one interface, which names it, or for SIOCGIFNAME gives its index.
func (t *tables) ifreq(c notify.Call, request uint32) *reply {
	b := make([]byte, ifreqSize)
	if err := notify.Read(c.Thread, c.Args[2], b); err != nil {
		return failed(unix.EFAULT)
	}
	value := b[unix.IFNAMSIZ:]
	name := unix.ByteSliceToString(b[:unix.IFNAMSIZ])
	if request == unix.SIOCGIFNAME {
		name = t.name(binary.NativeEndian.Uint32(value))
	}
	for _, i := range t.interfaces {
		if i.Name != name {
			continue
		}
		if request == unix.SIOCGIFNAME {
			clear(b[:unix.IFNAMSIZ])
			copy(b[:unix.IFNAMSIZ-1], i.Name)
		} else if err := i.answer(request, value); err != nil {
			return failed(err)
		}
		if notify.Write(c.Thread, c.Args[2], b) != nil {
			return failed(unix.EFAULT)
		}
		return &reply{}
	}
	return failed(unix.ENODEV)
}

// answer writes the answer to a request about the interface.
func (i *Interface) answer(request uint32, value []byte) error {
	clear(value)
	switch request {
	case unix.SIOCGIFINDEX:
		binary.NativeEndian.PutUint32(value, uint32(i.Index))
	case unix.SIOCGIFMTU:
		binary.NativeEndian.PutUint32(value, uint32(i.MTU))
	case unix.SIOCGIFFLAGS:
		flags := uint16(unix.IFF_UP | unix.IFF_RUNNING)
		if i.Loopback {
			flags |= unix.IFF_LOOPBACK
		} else {
			flags |= unix.IFF_MULTICAST
		}
		binary.NativeEndian.PutUint16(value, flags)
	case unix.SIOCGIFHWADDR:
		binary.NativeEndian.PutUint16(value, i.hardware())
	case unix.SIOCGIFMETRIC, unix.SIOCGIFTXQLEN:
	default:
		return i.address(request, value)
	}
	return nil
}

// hardware is the interface's type. The MAC of one with Ethernet stays the stack's own.
func (i *Interface) hardware() uint16 {
	if i.Loopback {
		return unix.ARPHRD_LOOPBACK
	}
	return unix.ARPHRD_NONE
}

// address writes an IPv4 address of the interface.
func (i *Interface) address(request uint32, value []byte) error {
	for _, p := range i.Addresses {
		if !p.Addr().Is4() {
			continue
		}
		a := p.Addr().As4()
		for n := range a {
			mask := byte(0xff << max(0, min(8, 8*(n+1)-p.Bits())))
			switch request {
			case unix.SIOCGIFNETMASK:
				a[n] = mask
			case unix.SIOCGIFBRDADDR:
				a[n] |= ^mask
			}
		}
		copy(value, layoutSockaddr(unix.AF_INET, netip.AddrPortFrom(netip.AddrFrom4(a), 0), nil))
		return nil
	}
	return unix.EADDRNOTAVAIL
}

// configuration answers SIOCGIFCONF: the interfaces with an IPv4 address.
func (t *tables) configuration(c notify.Call) *reply {
	var head [16]byte // struct ifconf: the length, and the address of the list
	if err := notify.Read(c.Thread, c.Args[2], head[:]); err != nil {
		return failed(unix.EFAULT)
	}
	room, list := int(int32(binary.NativeEndian.Uint32(head[:]))), binary.NativeEndian.Uint64(head[8:])
	var b []byte
	for _, i := range t.interfaces {
		row := make([]byte, ifreqSize)
		copy(row[:unix.IFNAMSIZ-1], i.Name)
		if i.address(unix.SIOCGIFADDR, row[unix.IFNAMSIZ:]) == nil {
			b = append(b, row...)
		}
	}
	if list != 0 {
		b = b[:min(len(b), max(room, 0)/ifreqSize*ifreqSize)]
		if err := notify.Write(c.Thread, list, b); err != nil {
			return failed(unix.EFAULT)
		}
	}
	binary.NativeEndian.PutUint32(head[:], uint32(len(b)))
	if notify.Write(c.Thread, c.Args[2], head[:4]) != nil {
		return failed(unix.EFAULT)
	}
	return &reply{}
}
