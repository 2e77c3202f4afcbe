// Package ipv4 is version 4 of the Internet Protocol (RFC 791, RFC 1122 section 3), a Family of package ip: the header and its
// options, identification, fragments, reassembly, forwarding.
package ipv4

import (
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Secret [16]byte // keys the choice of identifications

	// AcceptSourceRouted accepts datagrams with a source route, at the route's end and in transit. By default they are dropped:
	// replies follow the recorded route, so a sender can use any source address (RFC 7126 section 4.3, as Linux does).
	AcceptSourceRouted  bool
	ForwardSourceRouted bool // forward others' source-routed datagrams, if they are accepted (RFC 1122 section 3.3.5: off)

	// IGMPVersion makes 1, 2 or 3 the only version of IGMP (force_igmp_version of Linux); 0: version 3, or an older one while there is a
	// querier of it.
	IGMPVersion int

	MinPMTU int // floor of path MTU estimates in bytes; default 552, never below 68
}

// Stack is IPv4. All methods are safe for concurrent use.
type Stack struct {
	ip       *ip.Stack
	cfg      Config
	shared   *ip.Config
	stats    counters
	reporter Reporter
	headers  sync.Pool // *Header: one per datagram received
	ids      identifications
	igmp     igmp
}

// Reporter sends ICMP errors; package icmp registers one.
type Reporter interface {
	// Report sends an error about the datagram p, which starts at its IP header and stays the caller's. It applies the rules on
	// when to send no error (RFC 1122 section 3.2.2) and the rate limit itself.
	Report(now time.Duration, e ip.Error, d *ip.Datagram, p *packet.Buffer)
}

// New returns IPv4 and registers it with s.
func New(s *ip.Stack, cfg Config) *Stack {
	if cfg.MinPMTU == 0 {
		cfg.MinPMTU = 552
	}
	cfg.MinPMTU = max(cfg.MinPMTU, minMTU)
	v4 := &Stack{ip: s, cfg: cfg, shared: s.Config()}
	v4.headers.New = func() any { return new(Header) }
	v4.ids.init(cfg.Secret)
	v4.igmp.s = v4
	s.AddFamily(v4)
	s.RegisterIn(v4, ip.ProtocolIGMP, &v4.igmp)
	return v4
}

// SetReporter sets the sender of ICMP errors. It must be called before any interface receives.
func (s *Stack) SetReporter(r Reporter) { s.reporter = r }

// Report sends an ICMP error through the Reporter (ip.Family).
func (s *Stack) Report(now time.Duration, e ip.Error, d *ip.Datagram, p *packet.Buffer) {
	if s.reporter != nil {
		s.reporter.Report(now, e, d, p)
	}
}

// HeaderLen is the length of a header without options (ip.Family).
func (s *Stack) HeaderLen() int { return HeaderLen }

// MaxPayload is the largest transport message of a datagram without options (ip.Family).
func (s *Stack) MaxPayload() int { return MaxDatagram - HeaderLen }

// minMTU is the smallest MTU that a link may have (RFC 791 section 3.2).
const minMTU = 68

// MinMTU is the smallest MTU that a link may have, in bytes (ip.Family).
func (s *Stack) MinMTU() int { return minMTU }

// MinPMTU is the floor of path MTU estimates, in bytes (ip.Family).
func (s *Stack) MinPMTU() int { return s.cfg.MinPMTU }

// Loopback is the prefix of the loopback interface (ip.Family).
func (s *Stack) Loopback() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8)
}

var allHosts = netip.AddrFrom4([4]byte{224, 0, 0, 1})

// AllHosts is the multicast group that every host is in (RFC 1112 section 4; ip.Family).
func (s *Stack) AllHosts() netip.Addr { return allHosts }

// AllRouters is empty: nothing here is sent to all routers (ip.Family).
func (s *Stack) AllRouters() []netip.Addr { return nil }

// AddressGroup is the zero Addr: IPv4 addresses bring no groups (ip.Family).
func (s *Stack) AddressGroup(netip.Addr) netip.Addr { return netip.Addr{} }

// RouterAnycast is the zero Addr: IPv4 has no anycast addresses (ip.Family).
func (s *Stack) RouterAnycast(netip.Prefix) netip.Addr { return netip.Addr{} }

// Broadcast is the directed broadcast address of a network (ip.Family). A /31 has none (RFC 3021).
func (s *Stack) Broadcast(network netip.Prefix) netip.Addr {
	if network.Bits() >= 31 {
		return netip.Addr{}
	}
	b := network.Addr().As4()
	for bit := network.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

// Parse reads the header at the start of b (ip.Family).
func (s *Stack) Parse(b []byte) (ip.Datagram, bool) {
	var h Header
	ok := h.Parse(b)
	return h.Datagram, ok
}
