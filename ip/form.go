package ip

import "net/netip"

// Form is the kind of an address by its form alone, without the stack's own addresses (RFC 1122 section 3.2.1.3).
type Form uint8

const (
	FormInvalid     Form = iota // never a destination: 0/8 and class E
	FormUnspecified             // 0.0.0.0
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

func formOf6(a netip.Addr) Form {
	switch {
	case !a.IsValid() || a.Is4In6():
		return FormInvalid
	case a.IsUnspecified():
		return FormUnspecified
	case a.IsLoopback():
		return FormLoopback
	case a.IsMulticast():
		return FormMulticast
	}
	return FormHost
}
