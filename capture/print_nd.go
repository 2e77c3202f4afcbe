package capture

import (
	"fmt"
	"net"
	"strings"

	"tunstack/internal/escape"
	"tunstack/link/nd"
)

// Where the options of the messages of neighbour discovery start (RFC 4861 section 4).
var optionsAt = map[uint8]int{
	nd.TypeRouterSolicitation: 8, nd.TypeRouterAdvertisement: 16, nd.TypeNeighborSolicitation: 24, nd.TypeNeighborAdvertisement: 24,
	nd.TypeRedirect: 40,
}

var (
	routerFlags = []bit{{0x80, "managed"}, {0x40, "other stateful"}, {0x20, "home agent"}, {0x02, "ipv6 only"}}
	advertFlags = []bit{{0x80, "router"}, {0x40, "solicited"}, {0x20, "override"}}
	prefixFlags = []bit{{0x80, "onlink"}, {0x40, "auto"}, {0x20, "router"}}
	preferences = []string{"medium", "high", "rsv", "low"} // RFC 4191 section 2.1
	optionNames = map[uint8]string{1: "source link-address", 2: "destination link-address", 3: "prefix info", 4: "redirected header", 5: "mtu", 7: "advertisement interval", 8: "homeagent information", 14: "nonce", 24: "route info", 25: "rdnss", 31: "dnssl"}
)

// discovery prints a message of neighbour discovery (RFC 4861).
func discovery(t *text, kind uint8, b []byte, length int) {
	if t.verbose {
		t.printf(", length %d", length)
	}
	switch kind {
	case nd.TypeRouterAdvertisement:
		if t.verbose {
			t.printf("\n\thop limit %d, Flags [%s], pref %s, router lifetime %ds, reachable time %dms, retrans timer %dms", t.u8(b, 4),
				flagList(routerFlags, uint32(t.u8(b, 5)), "none"), preference(t.u8(b, 5)), t.u16(b, 6), t.u32(b, 8), t.u32(b, 12))
		}
	case nd.TypeNeighborSolicitation:
		t.printf(", who has %s", t.addr6(b, 8))
	case nd.TypeNeighborAdvertisement:
		t.printf(", tgt is %s", t.addr6(b, 8))
		if t.verbose {
			t.printf(", Flags [%s]", flagList(advertFlags, uint32(t.u8(b, 4)), "none"))
		}
	case nd.TypeRedirect:
		t.printf(", %s to %s", t.addr6(b, 24), t.addr6(b, 8))
	}
	if t.verbose && !t.cut {
		discoveryOptions(t, b[min(optionsAt[kind], len(b)):])
	}
}

// discoveryOptions prints the options, a line for each.
func discoveryOptions(t *text, b []byte) {
	for len(b) > 0 {
		n := 8 * int(t.u8(b, 1))
		if n == 0 || !t.has(b, 0, n) {
			t.cut = true
			return
		}
		t.printf("\n\t  %s option (%d), length %d (%d): ", named(optionNames, b[0], "unknown"), b[0], n, n/8)
		discoveryOption(t, b[:n])
		b = b[n:]
	}
}

// discoveryOption prints the contents of an option.
func discoveryOption(t *text, b []byte) {
	switch b[0] {
	case 1, 2:
		t.printf("%s", net.HardwareAddr(b[2:]))
	case 3:
		t.printf("%s/%d, Flags [%s], valid time %s, pref. time %s", t.addr6(b, 16), t.u8(b, 2),
			flagList(prefixFlags, uint32(t.u8(b, 3)), "none"), lifetime(t.u32(b, 4)), lifetime(t.u32(b, 8)))
	case 5:
		t.printf(" %d", t.u32(b, 4))
	case 7:
		t.printf(" %dms", t.u32(b, 4))
	case 8:
		t.printf(" preference %d, lifetime %d", t.u16(b, 4), t.u16(b, 6))
	case 24: // RFC 4191 section 2.3: the last zeros of the prefix may be left out
		prefix := append(b[8:len(b):len(b)], make([]byte, 16)...)
		t.printf(" %s/%d, pref=%s, lifetime=%s", t.addr6(prefix, 0), t.u8(b, 2), preference(t.u8(b, 3)), lifetime(t.u32(b, 4)))
	case 25: // RFC 8106 section 5.1
		t.printf(" lifetime %ds,", t.u32(b, 4))
		for at := 8; at+16 <= len(b); at += 16 {
			t.printf(" addr: %s", t.addr6(b, at))
		}
	case 31:
		t.printf(" lifetime %ds, domain(s):%s", t.u32(b, 4), domains(b[8:]))
	default:
		t.printf("0x%x", b[2:])
	}
}

// domains lists the names of a DNS search list (RFC 8106 section 5.2), each behind a blank.
func domains(b []byte) string {
	var list strings.Builder
	for len(b) > 0 && b[0] != 0 {
		list.WriteString(" ")
		for len(b) > 0 && b[0] != 0 {
			n := min(1+int(b[0]), len(b))
			fmt.Fprintf(&list, "%s.", escape.String(string(b[1:n])))
			b = b[n:]
		}
		b = b[min(1, len(b)):]
	}
	return list.String()
}

// preference is the text of a preference in the flags of a router or a route.
func preference(flags uint8) string { return preferences[flags>>3&3] }

func lifetime(seconds uint32) string {
	if seconds == 1<<32-1 {
		return "infinity"
	}
	return fmt.Sprintf("%ds", seconds)
}
