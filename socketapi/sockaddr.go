package socketapi

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"tunstack/ip"
)

// SockaddrIn6 is Linux's struct sockaddr_in6, for options that contain one and for programs written against Linux's headers. The calls of
// Berkeley take netip.AddrPort, whose zone is the scope id.
type SockaddrIn6 struct {
	Family   uint16   // AF_INET6
	Port     [2]byte  // big-endian
	FlowInfo [4]byte  // big-endian: traffic class and flow label
	Addr     [16]byte // an IPv4-mapped address stands for IPv4
	ScopeID  uint32   // number of the interface of a link-local address, else 0
}

// SockaddrIn6 returns the struct of an address; an IPv4 address is IPv4-mapped.
func (s *Stack) SockaddrIn6(a netip.AddrPort) SockaddrIn6 {
	sa := SockaddrIn6{Family: AF_INET6, Addr: a.Addr().As16()}
	binary.BigEndian.PutUint16(sa.Port[:], a.Port())
	if zone := a.Addr().Zone(); zone != "" {
		sa.ScopeID = uint32(s.IfNameToIndex(zone))
	}
	return sa
}

// AddrPort returns the address in a SockaddrIn6. The scope id becomes the zone of an address that needs one.
func (s *Stack) AddrPort(sa *SockaddrIn6) netip.AddrPort {
	a := netip.AddrFrom16(sa.Addr)
	if i := s.ip.InterfaceAt(int(sa.ScopeID)); i != nil && ip.NeedsZone(a) {
		a = a.WithZone(i.Name())
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(sa.Port[:]))
}

// Sizes of the structs in bytes.
const (
	sizeofSockaddrIn  = 16
	sizeofSockaddrIn6 = 28
	minSockaddrIn6    = 24 // without the scope id (RFC 2133)
)

// ParseSockaddr reads a struct sockaddr in Linux's layout, for a socket of a family: the zero AddrPort for AF_UNSPEC. flowInfo is that of a
// struct sockaddr_in6. As in connect(2) the errors are EINVAL for a struct that is too short, and EAFNOSUPPORT for one of another family.
func (s *Stack) ParseSockaddr(family int, b []byte) (a netip.AddrPort, flowInfo uint32, err error) {
	if len(b) < 2 {
		return a, 0, syscall.EINVAL
	}
	got := int(binary.NativeEndian.Uint16(b))
	switch {
	case got == AF_UNSPEC:
		return a, 0, nil
	case family == AF_INET && len(b) < sizeofSockaddrIn, family == AF_INET6 && len(b) < minSockaddrIn6:
		return a, 0, syscall.EINVAL
	case got != family:
		return a, 0, syscall.EAFNOSUPPORT
	case family == AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), binary.BigEndian.Uint16(b[2:])), 0, nil
	}
	var whole [sizeofSockaddrIn6]byte
	copy(whole[:], b)
	var sa SockaddrIn6
	_, err = binary.Decode(whole[:], binary.NativeEndian, &sa)
	return s.AddrPort(&sa), binary.BigEndian.Uint32(sa.FlowInfo[:]), err
}
