package link

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/link/nd"
)

var (
	myLL   = netip.MustParseAddr("fe80::2")
	my6    = netip.MustParseAddr("2001:db8::2")
	hostLL = netip.MustParseAddr("fe80::1")
	host6  = netip.MustParseAddr("2001:db8::1")
	other6 = netip.MustParseAddr("2001:db8::9")
	no6    = netip.IPv6Unspecified()
)

// Solicitations of hostLL, as sends has them.
const (
	ask6  = "> 33:33:ff:00:00:01: fe80::2 > ff02::1:ff00:1: NS fe80::1 from me"
	poll6 = "> host: fe80::2 > fe80::1: NS fe80::1 from me"
)

// newLab6 returns a lab that owns myLL and my6, if no probes are asked for.
func newLab6(t testing.TB, cfg Config) *lab {
	l := newLab(t, cfg)
	if cfg.ACD.ProbeNum < 0 {
		l.claim(myLL)
		l.claim(my6)
		l.dev.sent = nil
	}
	return l
}

// hears6 receives a message of neighbor discovery.
func (l *lab) hears6(src, dst netip.Addr, m nd.Appender) {
	l.t.Helper()
	message := &nd.Message{Src: src, Dst: dst, HopLimit: nd.HopLimit, Body: m.Append(nil)}
	var c nd.Counters
	if !message.Valid(&c) {
		l.t.Fatalf("not valid: %+v", m)
	}
	l.e.Discover(l.now, message)
}

// asks receives a solicitation of target from src, which goes to the group of the target.
func (l *lab) asks(src, target netip.Addr, mac MAC) {
	l.hears6(src, nd.SolicitedNode(target), &nd.NeighborSolicitation{Target: target, Source: nd.LinkLayer(mac)})
}

// tells receives an advertisement of target with the flags R, S and O.
func (l *lab) tells(target netip.Addr, mac MAC, flags string) {
	dst := myLL
	if !strings.Contains(flags, "S") {
		dst = nd.AllNodes
	}
	l.hears6(target, dst, &nd.NeighborAdvertisement{
		Target: target, TargetAddress: nd.LinkLayer(mac),
		Router: strings.Contains(flags, "R"), Solicited: strings.Contains(flags, "S"), Override: strings.Contains(flags, "O"),
	})
}

// output6 sends a datagram from myLL.
func (l *lab) output6(nextHop netip.Addr, payload string) error {
	return l.e.Output(l.now, datagram6(myLL, nextHop, payload), nextHop)
}

// datagram6 is not a valid datagram, but enough for a link.
func datagram6(src, dst netip.Addr, payload string) *packet.Buffer {
	p := packet.New(40 + len(payload))
	b := p.Extend(40 + len(payload))
	clear(b)
	s, d := src.As16(), dst.As16()
	b[0] = 0x60
	copy(b[8:], s[:])
	copy(b[24:], d[:])
	copy(b[40:], payload)
	return p
}

// describe6 prints a datagram: a solicitation or advertisement with its addresses, of others the payload.
func describe6(b []byte) string {
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if b[6] != 58 {
		return "ip " + string(b[40:])
	}
	m := &nd.Message{Src: src, Dst: dst, HopLimit: b[7], Body: b[40:]}
	var c nd.Counters
	if !m.Valid(&c) {
		return "invalid"
	}
	line, address := fmt.Sprintf("%s > %s: ", src, dst), nd.LinkLayer{}
	switch m.Type() {
	case nd.TypeNeighborSolicitation:
		s := m.NeighborSolicitation()
		line, address = line+fmt.Sprint("NS ", s.Target), s.Source
		if s.Nonce != nil {
			line += " nonce"
		}
	case nd.TypeNeighborAdvertisement:
		a := m.NeighborAdvertisement()
		line, address = line+fmt.Sprint("NA ", a.Target, " "), a.TargetAddress
		line += flags(a)
	}
	switch address {
	case nd.LinkLayer{}:
	case nd.LinkLayer(myMAC):
		line += " from me"
	default:
		line += " from another"
	}
	return line
}

// flags are the letters of the flags that are set.
func flags(a nd.NeighborAdvertisement) (s string) {
	for _, f := range []struct {
		set    bool
		letter string
	}{{a.Router, "R"}, {a.Solicited, "S"}, {a.Override, "O"}} {
		if f.set {
			s += f.letter
		}
	}
	return s
}

// row is the cache's row of a neighbour.
func (l *lab) row(a netip.Addr) Neighbor {
	for _, n := range l.e.Neighbors(l.now) {
		if n.IP == a {
			return n
		}
	}
	return Neighbor{}
}

// known makes a neighbour REACHABLE.
func (l *lab) known(a netip.Addr, mac MAC) {
	l.t.Helper()
	if err := l.output6(a, "first"); err != nil {
		l.t.Fatal(err)
	}
	l.tells(a, mac, "SO")
	l.dev.sent = nil
}

func (l *lab) nd(name string) uint64 { return stats.Count(name, l.e.DiscoveryStats()) }
