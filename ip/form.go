package ip

import "net/netip"

// Form is the kind of an address by its form alone, without the stack's own addresses (RFC 1122 section 3.2.1.3).
type Form uint8

const (
	FormInvalid     Form = iota // never a destination: 0/8 and class E, IPv4-mapped addresses, groups of scope 0
	FormUnspecified             // 0.0.0.0 or ::
	FormHost                    // a single host's
	FormLoopback                // never seen on a wire
	FormMulticast
	FormBroadcast // limited broadcast
)

// FormOf classifies an address by its form alone.
func FormOf(a netip.Addr) Form {
	if !a.Is4() {
		return formOf6(a)
	}
	b := a.As4()
	switch {
	case b[0]-1 < 126, b[0]-128 < 96: // 1-126 and 128-223
		return FormHost
	case b[0] == 127:
		return FormLoopback
	case b[0]-224 < 16:
		return FormMulticast
	case b == [4]byte{}:
		return FormUnspecified
	case b == [4]byte{255, 255, 255, 255}:
		return FormBroadcast
	}
	return FormInvalid
}

// formOf6 takes an IPv4-mapped address for invalid (RFC 4942 section 2.2), a group of scope 0 (RFC 4291 section 2.7), and a link-local
// address in which one of the bits 10 to 63 is set, which are zero by RFC 4291 section 2.5.6.
func formOf6(a netip.Addr) Form {
	if !a.IsValid() {
		return FormInvalid
	}
	b := a.As16()
	switch {
	case b[0] == 0xff && b[1]&0xf == 0:
		return FormInvalid
	case b[0] == 0xff:
		return FormMulticast
	case b[0] == 0xfe && b[1]&0xc0 == 0x80 && (b[1] != 0x80 || [6]byte(b[2:]) != [6]byte{}):
		return FormInvalid
	case b[0] != 0:
		return FormHost
	case a.Is4In6():
		return FormInvalid
	case a.IsUnspecified():
		return FormUnspecified
	case a.IsLoopback():
		return FormLoopback
	}
	return FormHost
}
