package nd

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// Forever is a lifetime without an end.
const Forever = time.Duration(math.MaxInt64)

// Flags of a router advertisement and of prefix information (RFC 4861 sections 4.2 and 4.6.2).
const (
	flagManaged    = 0x80
	flagOther      = 0x40
	flagOnLink     = 0x80
	flagAutonomous = 0x40
)

// RouterSolicitation asks the routers to advertise themselves (RFC 4861 section 4.1).
type RouterSolicitation struct {
	Source LinkLayer // of the sender; zero in a message from ::
}

// RouterSolicitation reads a valid router solicitation.
func (m *Message) RouterSolicitation() RouterSolicitation {
	return RouterSolicitation{m.Source()}
}

// Append appends the message, with a zero checksum.
func (s *RouterSolicitation) Append(b []byte) []byte {
	return appendLinkLayer(append(b, TypeRouterSolicitation, 0, 0, 0, 0, 0, 0, 0), optSourceLinkLayer, s.Source)
}

// RouterAdvertisement has the parameters of a link and the routes by a router (RFC 4861 section 4.2). A zero parameter leaves the
// host's value as it is.
type RouterAdvertisement struct {
	CurHopLimit    uint8
	Managed, Other bool          // addresses, or other settings, are available by DHCPv6
	Preference     int8          // of the router: 1, 0 or -1 (RFC 4191 section 2.2)
	RouterLifetime time.Duration // as a default router; 0: hosts must not use the router as one
	ReachableTime  time.Duration
	RetransTimer   time.Duration

	Source   LinkLayer // of the router
	MTU      uint32    // of the link, in bytes
	Prefixes []PrefixInformation
	Routes   []RouteInformation
	RDNSS    []RDNSS
	DNSSL    []DNSSL
}

// RouterAdvertisement reads a valid router advertisement. It leaves out the options that are malformed.
func (m *Message) RouterAdvertisement() *RouterAdvertisement {
	b := m.Body
	a := &RouterAdvertisement{
		CurHopLimit: b[4], Managed: b[5]&flagManaged != 0, Other: b[5]&flagOther != 0,
		RouterLifetime: time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second,
		ReachableTime:  time.Duration(binary.BigEndian.Uint32(b[8:])) * time.Millisecond,
		RetransTimer:   time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Millisecond,
	}
	a.Preference, _ = preference(b[5]) // the reserved value counts as medium
	a.Source = m.Source()
	for typ, content := range m.options().all {
		a.addOption(typ, content)
	}
	return a
}

func (a *RouterAdvertisement) addOption(typ uint8, content []byte) {
	switch typ {
	case optMTU:
		if len(content) == 6 {
			a.MTU = binary.BigEndian.Uint32(content[2:])
		}
	case optPrefix:
		a.Prefixes = appendValid(a.Prefixes, content, parsePrefix)
	case optRoute:
		a.Routes = appendValid(a.Routes, content, parseRoute)
	case optRDNSS:
		a.RDNSS = appendValid(a.RDNSS, content, parseRDNSS)
	case optDNSSL:
		a.DNSSL = appendValid(a.DNSSL, content, parseDNSSL)
	}
}

// appendValid appends an option, unless it is malformed.
func appendValid[T any](list []T, content []byte, parse func([]byte) (T, bool)) []T {
	if v, ok := parse(content); ok {
		list = append(list, v)
	}
	return list
}

// preference reads the bits 3 and 4 of a byte (RFC 4191 section 2.1); false: the value is reserved.
func preference(b uint8) (int8, bool) {
	switch b >> 3 & 3 {
	case 1:
		return 1, true
	case 3:
		return -1, true
	case 2:
		return 0, false
	}
	return 0, true
}

// lifetime reads seconds, of which all ones mean Forever.
func lifetime(b []byte) time.Duration {
	if n := binary.BigEndian.Uint32(b); n != math.MaxUint32 {
		return time.Duration(n) * time.Second
	}
	return Forever
}

// PrefixInformation describes the addresses of a prefix (RFC 4861 section 4.6.2).
type PrefixInformation struct {
	Prefix           netip.Prefix // not masked
	OnLink           bool         // the addresses are on the link
	Autonomous       bool         // hosts form their own addresses
	Valid, Preferred time.Duration
}

func parsePrefix(b []byte) (p PrefixInformation, ok bool) {
	if len(b) != 30 {
		return p, false
	}
	p = PrefixInformation{
		Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte(b[14:])), int(b[0])),
		OnLink: b[1]&flagOnLink != 0, Autonomous: b[1]&flagAutonomous != 0, Valid: lifetime(b[2:]), Preferred: lifetime(b[6:]),
	}
	return p, p.Prefix.IsValid()
}

// RouteInformation is a route to a prefix by the router (RFC 4191 section 2.3).
type RouteInformation struct {
	Prefix     netip.Prefix // masked
	Preference int8         // 1, 0 or -1
	Lifetime   time.Duration
}

func parseRoute(b []byte) (r RouteInformation, ok bool) {
	var a [16]byte
	if len(b) > 6+len(a) || int(b[0]) > 8*(len(b)-6) {
		return r, false
	}
	copy(a[:], b[6:])
	r = RouteInformation{Prefix: netip.PrefixFrom(netip.AddrFrom16(a), int(b[0])).Masked(), Lifetime: lifetime(b[2:])}
	r.Preference, ok = preference(b[1])
	return r, ok
}
