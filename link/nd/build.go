package nd

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/tun"
)

const (
	ipv6HeaderLen  = 40
	protocolICMPv6 = 58
)

// Appender is a message to be sent.
type Appender interface {
	// Append appends the message, with a zero checksum.
	Append(b []byte) []byte
}

// New returns a datagram with the message, from its IPv6 header. The caller owns it.
func New(src, dst netip.Addr, m Appender) *tun.Packet {
	var space [128]byte
	body := m.Append(space[:0])
	checksum.Put(body[2:], ^checksum.Sum(body, checksum.Pseudo(src, dst, protocolICMPv6, len(body))))
	p := packet.New(ipv6HeaderLen + len(body))
	h := p.Extend(ipv6HeaderLen)
	binary.BigEndian.PutUint32(h, 6<<28)
	binary.BigEndian.PutUint16(h[4:], uint16(len(body)))
	h[6], h[7] = protocolICMPv6, HopLimit
	s, d := src.As16(), dst.As16()
	copy(h[8:], s[:])
	copy(h[24:], d[:])
	copy(p.Extend(len(body)), body)
	if dst.IsMulticast() {
		p.Cast = packet.Multicast
	}
	return p
}

// Append appends the message, with a zero checksum. Times are cut to the units and the range of their fields.
func (a *RouterAdvertisement) Append(b []byte) []byte {
	flags := preferenceBits(a.Preference)
	if a.Managed {
		flags |= flagManaged
	}
	if a.Other {
		flags |= flagOther
	}
	b = append(b, TypeRouterAdvertisement, 0, 0, 0, a.CurHopLimit, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(min(a.RouterLifetime/time.Second, math.MaxUint16)))
	b = appendTime(b, a.ReachableTime, time.Millisecond)
	b = appendTime(b, a.RetransTimer, time.Millisecond)
	b = appendLinkLayer(b, optSourceLinkLayer, a.Source)
	if a.MTU != 0 {
		b = appendOption(b, optMTU, binary.BigEndian.AppendUint32([]byte{0, 0}, a.MTU))
	}
	for _, p := range a.Prefixes {
		b = appendOption(b, optPrefix, p.content())
	}
	for _, r := range a.Routes {
		b = appendOption(b, optRoute, r.content())
	}
	for _, s := range a.RDNSS {
		b = appendOption(b, optRDNSS, s.content())
	}
	for _, s := range a.DNSSL {
		b = appendOption(b, optDNSSL, s.content())
	}
	return b
}

func preferenceBits(p int8) uint8 { return uint8(p) & 3 << 3 }

// appendTime appends a time in a unit; a longer one than the field holds becomes all ones.
func appendTime(b []byte, d, unit time.Duration) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(min(d/unit, math.MaxUint32)))
}

func (p *PrefixInformation) content() []byte {
	b := []byte{uint8(p.Prefix.Bits()), 0}
	if p.OnLink {
		b[1] |= flagOnLink
	}
	if p.Autonomous {
		b[1] |= flagAutonomous
	}
	b = appendTime(appendTime(b, p.Valid, time.Second), p.Preferred, time.Second)
	a := p.Prefix.Addr().As16()
	return append(append(b, 0, 0, 0, 0), a[:]...)
}

func (r *RouteInformation) content() []byte {
	b := appendTime([]byte{uint8(r.Prefix.Bits()), preferenceBits(r.Preference)}, r.Lifetime, time.Second)
	a := r.Prefix.Masked().Addr().As16()
	return append(b, a[:(r.Prefix.Bits()+63)/64*8]...)
}

func (s *RDNSS) content() []byte {
	b := appendTime([]byte{0, 0}, s.Lifetime, time.Second)
	for _, server := range s.Servers {
		a := server.As16()
		b = append(b, a[:]...)
	}
	return b
}

func (s *DNSSL) content() []byte {
	b := appendTime([]byte{0, 0}, s.Lifetime, time.Second)
	for _, domain := range s.Domains {
		for label := range strings.SplitSeq(domain, ".") {
			b = append(append(b, uint8(len(label))), label...)
		}
		b = append(b, 0)
	}
	return b
}
