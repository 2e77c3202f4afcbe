package ip

import (
	"net/netip"
	"syscall"
)

// Versions is the set of the versions of IP that a socket uses. Sockets keep IPv4 addresses in their own form; a Berkeley socket of
// AF_INET6 shows them to its user as IPv4-mapped ones.
type Versions uint8

// The address families of sockets.
const (
	V4   Versions  = 1 << iota // AF_INET
	V6                         // AF_INET6 with IPV6_V6ONLY
	Dual = V4 | V6             // AF_INET6
)

// VersionOf is the version of an address.
func VersionOf(a netip.Addr) Versions {
	if a.Is4() {
		return V4
	}
	return V6
}

// Has reports whether an address is of a version in v.
func (v Versions) Has(a netip.Addr) bool { return v&VersionOf(a) != 0 }

// Wildcard is the address of a socket that is not bound: 0.0.0.0, or :: for a socket of AF_INET6.
func (v Versions) Wildcard() netip.Addr {
	if v == V4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// Heard are the versions whose packets a socket bound to local receives at all addresses: none unless local is a wildcard. 0.0.0.0 is
// IPv4's alone, and :: stands for the addresses of all versions in v.
func (v Versions) Heard(local netip.Addr) Versions {
	switch {
	case !local.IsUnspecified():
		return 0
	case local.Is4():
		return v & V4
	}
	return v
}

// CanBind checks that a socket may be bound to an address. As on Linux the error is EAFNOSUPPORT for an IPv6 address of an IPv4 socket, and
// EINVAL for an IPv4 address of a socket with IPV6_V6ONLY.
func (v Versions) CanBind(local netip.Addr) error {
	switch {
	case v.Has(local):
		return nil
	case v == V4:
		return syscall.EAFNOSUPPORT
	}
	return syscall.EINVAL
}

// CanReach checks that a socket bound to local may send to dst. As on Linux the error is EAFNOSUPPORT for an IPv6 destination of an IPv4
// socket, or of one that is bound to an IPv4 address, and ENETUNREACH for an IPv4 destination of a socket with IPV6_V6ONLY, or of one that
// is bound to an IPv6 address.
func (v Versions) CanReach(dst, local netip.Addr) error {
	bound := VersionOf(local)
	if local.IsUnspecified() && local.Is6() {
		bound = v
	}
	switch {
	case v&bound&VersionOf(dst) != 0:
		return nil
	case dst.Is6():
		return syscall.EAFNOSUPPORT
	}
	return syscall.ENETUNREACH
}

// Bound are the versions that a socket bound to local uses: as on Linux IPV6_V6ONLY is on for an IPv6 address other than ::.
func (v Versions) Bound(local netip.Addr) Versions {
	if local.Is6() && !local.IsUnspecified() {
		return V6
	}
	return v
}

// ThisHost returns dst; instead of :: the IPv4 loopback address if a socket of AF_INET6 is bound to an IPv4 address, as on Linux.
func (v Versions) ThisHost(dst, local netip.Addr) netip.Addr {
	if v == Dual && local.Is4() && dst.Is6() && dst.IsUnspecified() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return dst
}
