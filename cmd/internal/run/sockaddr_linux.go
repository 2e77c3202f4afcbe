package run

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/ip"
)

const (
	sockaddrIn     = 16
	sockaddrIn6    = 28
	minSockaddrIn6 = 24  // without the scope id (RFC 2133)
	maxSockaddr    = 128 // sizeof(struct sockaddr_storage)
)

// readSockaddr reads the address of a call on a socket of the domain. It begins at addr in the thread's memory. An address of AF_UNSPEC is
// the zero AddrPort. Errors: EFAULT, EINVAL for a wrong length, EAFNOSUPPORT for another domain's.
func readSockaddr(thread int, addr uint64, length uint32, domain int, t *tables) (netip.AddrPort, error) {
	if length < 2 || length > maxSockaddr {
		return netip.AddrPort{}, syscall.EINVAL
	}
	b := make([]byte, length)
	if err := notify.Read(thread, addr, b); err != nil {
		return netip.AddrPort{}, syscall.EFAULT
	}
	return parseSockaddr(b, domain, t)
}

func parseSockaddr(b []byte, domain int, t *tables) (netip.AddrPort, error) {
	family := int(binary.NativeEndian.Uint16(b))
	switch {
	case family == unix.AF_UNSPEC:
		return netip.AddrPort{}, nil
	case domain == unix.AF_INET && len(b) < sockaddrIn, domain == unix.AF_INET6 && len(b) < minSockaddrIn6:
		return netip.AddrPort{}, syscall.EINVAL
	case family != domain:
		return netip.AddrPort{}, syscall.EAFNOSUPPORT
	case domain == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:])), nil
	}
	a := netip.AddrFrom16([16]byte(b[8:24]))
	if len(b) >= sockaddrIn6 && ip.NeedsZone(a) {
		if scope := binary.NativeEndian.Uint32(b[24:]); scope != 0 {
			a = a.WithZone(t.name(scope))
		}
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[2:])), nil
}

// layoutSockaddr is an address as a socket of the domain returns it. A socket of AF_INET6 has IPv4 addresses in their mapped form.
func layoutSockaddr(domain int, a netip.AddrPort, t *tables) []byte {
	addr := a.Addr()
	if domain == unix.AF_INET {
		b := make([]byte, sockaddrIn)
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		binary.BigEndian.PutUint16(b[2:], a.Port())
		if addr = addr.Unmap(); addr.Is4() {
			copy(b[4:], addr.AsSlice())
		}
		return b
	}
	b := make([]byte, sockaddrIn6)
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	binary.BigEndian.PutUint16(b[2:], a.Port())
	if addr.IsValid() {
		as16 := addr.As16()
		copy(b[8:], as16[:])
	}
	if zone := addr.Zone(); zone != "" {
		binary.NativeEndian.PutUint32(b[24:], t.index(zone))
	}
	return b
}

// writeSockaddr writes an address to a call's buffer, whose length stands at lengthAt, and the address's full length there.
func writeSockaddr(thread int, addr, lengthAt uint64, b []byte) error {
	if addr == 0 {
		return nil
	}
	var length [4]byte
	if err := notify.Read(thread, lengthAt, length[:]); err != nil {
		return syscall.EFAULT
	}
	room := int32(binary.NativeEndian.Uint32(length[:]))
	if room < 0 {
		return syscall.EINVAL
	}
	if err := notify.Write(thread, addr, b[:min(int(room), len(b))]); err != nil {
		return syscall.EFAULT
	}
	binary.NativeEndian.PutUint32(length[:], uint32(len(b)))
	if err := notify.Write(thread, lengthAt, length[:]); err != nil {
		return syscall.EFAULT
	}
	return nil
}
