package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// text is the text of a packet in the making. A packet may end anywhere: a field that is not there ends the text with tcpdump's
// mark [|LAYER]. Therefore the methods that read a field return zero when it is missing, and printf prints nothing from then on.
type text struct {
	strings.Builder
	verbose bool
	layer   string // the name of the protocol that is printed
	cut     bool   // a field was missing
}

// printf appends to the text. The fields that are read for args are checked before.
func (t *text) printf(format string, args ...any) {
	if !t.cut {
		fmt.Fprintf(&t.Builder, format, args...)
	}
}

// end returns the text.
func (t *text) end() string {
	if t.cut {
		return fmt.Sprintf("%s [|%s]", strings.TrimRight(t.String(), " "), t.layer)
	}
	return t.String()
}

// has reports whether b holds n bytes from at on, and otherwise ends the text.
func (t *text) has(b []byte, at, n int) bool {
	t.cut = t.cut || at+n > len(b)
	return !t.cut
}

func (t *text) u8(b []byte, at int) uint8 {
	if !t.has(b, at, 1) {
		return 0
	}
	return b[at]
}

func (t *text) u16(b []byte, at int) uint16 {
	if !t.has(b, at, 2) {
		return 0
	}
	return binary.BigEndian.Uint16(b[at:])
}

func (t *text) u32(b []byte, at int) uint32 {
	if !t.has(b, at, 4) {
		return 0
	}
	return binary.BigEndian.Uint32(b[at:])
}

// addr4 reads an IPv4 address.
func (t *text) addr4(b []byte, at int) netip.Addr {
	if !t.has(b, at, 4) {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b[at:]))
}

// addr6 reads an IPv6 address.
func (t *text) addr6(b []byte, at int) netip.Addr {
	if !t.has(b, at, 16) {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte(b[at:]))
}

// bit is a flag of a header field with its name.
type bit struct {
	mask uint32
	name string
}

// flagList lists the names of the bits that are set; none stands for an empty list.
func flagList(bits []bit, value uint32, none string) string {
	var names []string
	for _, b := range bits {
		if value&b.mask != 0 {
			names = append(names, b.name)
		}
	}
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// named returns the name of a number, or the number in a format.
func named(names map[uint8]string, n uint8, format string) string {
	if name, ok := names[n]; ok {
		return name
	}
	return fmt.Sprintf(format, n)
}
