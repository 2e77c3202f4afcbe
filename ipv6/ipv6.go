// Package ipv6 is version 6 of the Internet Protocol (RFC 8200), a Family of package ip: the header and its extension headers, flow
// labels, fragments, reassembly, forwarding.
package ipv6

import (
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/siphash"
	"tunstack/ip"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Secret       [16]byte // keys the choice of identifications
	NoFlowLabels bool     // datagrams leave with the flow label 0

	// MLDVersion makes 1 or 2 the only version of MLD (force_mld_version of Linux); 0: version 2, or 1 while there is a querier of it.
	MLDVersion int
}

// Stack is IPv6. All methods are safe for concurrent use.
type Stack struct {
	ip       *ip.Stack
	cfg      Config
	shared   *ip.Config
	stats    counters
	mld      mldCounters
	reporter Reporter
	headers  sync.Pool // *Header: one per datagram received
	ids      identifications
}

// Reporter sends ICMPv6 errors; package icmp registers one.
type Reporter interface {
	// Report sends an error about the datagram p, which starts at its IP header and stays the caller's. It applies the rules on
	// when to send no error (RFC 4443 section 2.4) and the rate limit itself.
	Report(now time.Duration, e ip.Error, d *ip.Datagram, p *packet.Buffer)
}

// New returns IPv6 and registers it with s.
func New(s *ip.Stack, cfg Config) *Stack {
	v6 := &Stack{ip: s, cfg: cfg, shared: s.Config()}
	v6.ids.key = siphash.NewKey(cfg.Secret)
	v6.headers.New = func() any { return new(Header) }
	s.AddFamily(v6)
	return v6
}

// SetReporter sets the sender of ICMPv6 errors. It must be called before any interface receives.
func (s *Stack) SetReporter(r Reporter) { s.reporter = r }

// Report sends an ICMPv6 error through the Reporter (ip.Family).
func (s *Stack) Report(now time.Duration, e ip.Error, d *ip.Datagram, p *packet.Buffer) {
	if s.reporter != nil {
		s.reporter.Report(now, e, d, p)
	}
}

// HeaderLen is the length of a header without extension headers (ip.Family).
func (s *Stack) HeaderLen() int { return HeaderLen }

// MaxPayload is the largest transport message of a datagram without extension headers (ip.Family).
func (s *Stack) MaxPayload() int { return MaxPayload }

// MinMTU is the smallest MTU that a link, and a path, may have (RFC 8200 section 5).
const MinMTU = 1280

// MinMTU is the smallest MTU that a link may have, in bytes (ip.Family).
func (s *Stack) MinMTU() int { return MinMTU }

// MinPMTU is the floor of path MTU estimates, in bytes (ip.Family).
func (s *Stack) MinPMTU() int { return MinMTU }

// Loopback is the prefix of the loopback interface (ip.Family).
func (s *Stack) Loopback() netip.Prefix { return netip.PrefixFrom(netip.IPv6Loopback(), 128) }

var allNodes = netip.IPv6LinkLocalAllNodes()

// AllHosts is the multicast group that every node of a link is in (RFC 4291 section 2.7.1; ip.Family).
func (s *Stack) AllHosts() netip.Addr { return allNodes }

// AllRouters are the groups of all routers of an interface, a link and a site (RFC 4291 section 2.7.1; ip.Family).
func (s *Stack) AllRouters() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr("ff01::2"), netip.MustParseAddr("ff02::2"), netip.MustParseAddr("ff05::2")}
}

// AddressGroup is the solicited-node group of an address (RFC 4291 section 2.7.1; ip.Family). ::1 needs none, because it is
// never resolved.
func (s *Stack) AddressGroup(a netip.Addr) netip.Addr {
	if a.IsLoopback() {
		return netip.Addr{}
	}
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, b[13], b[14], b[15]})
}

// RouterAnycast is the Subnet-Router anycast address of a network (RFC 4291 section 2.6.1; ip.Family). Networks of one or two addresses
// have none (RFC 6164 section 6).
func (s *Stack) RouterAnycast(network netip.Prefix) netip.Addr {
	if network.Bits() >= 127 {
		return netip.Addr{}
	}
	return network.Masked().Addr()
}

// Broadcast is the zero Addr: IPv6 has no broadcast (ip.Family).
func (s *Stack) Broadcast(netip.Prefix) netip.Addr { return netip.Addr{} }

// ReplyOptions is nil: an answer repeats no extension header (RFC 8200 section 8.4; ip.Family).
func (s *Stack) ReplyOptions([]byte) []byte { return nil }

// Parse reads the header and the extension headers at the start of b (ip.Family).
func (s *Stack) Parse(b []byte) (ip.Datagram, bool) {
	var h Header
	ok := h.Parse(b)
	return h.Datagram, ok
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack) Stats() any { return &s.stats }
