package icmp

import (
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

// Types of ICMPv6 messages (RFC 4443). Those below 128 are errors.
const (
	Unreachable6      = 1
	PacketTooBig      = 2
	TimeExceeded6     = 3
	ParameterProblem6 = 4
	EchoRequest6      = 128
	EchoReply6        = 129

	firstQuery6 = 128
)

// Stack6 is the ICMP layer of one host for IPv6 (RFC 4443).
type Stack6 struct {
	ip        *ip.Stack
	v6        *ipv6.Stack
	stats     counters6
	discovery nd.Counters
	limit     *limiter // also of IPv4's errors
}

type counters6 struct {
	InMessages stats.Counter `name:"icmp6.in.messages" doc:"messages received"`
	InEchos    stats.Counter `name:"icmp6.in.echo_requests" doc:"echo requests received" rfc:"RFC 4443 4.1"`
	InReplies  stats.Counter `name:"icmp6.in.replies" doc:"replies received, for raw sockets" rfc:"RFC 4443 4.2"`
	InErrors   stats.Counter `name:"icmp6.in.errors" doc:"errors handed to a transport" rfc:"RFC 4443 2.4(d)"`
	OutEchos   stats.Counter `name:"icmp6.out.echo_replies" doc:"echo requests answered" rfc:"RFC 4443 4.2"`
	OutErrors  stats.Counter `name:"icmp6.out.errors" doc:"errors sent" rfc:"RFC 4443 2.4"`

	DropTruncated   stats.Counter `name:"icmp6.drop.truncated" doc:"shorter than a message" rfc:"RFC 4443 2.1"`
	DropChecksum    stats.Counter `name:"icmp6.drop.bad_checksum" doc:"checksum wrong" rfc:"RFC 4443 2.3"`
	DropUnknown     stats.Counter `name:"icmp6.drop.unknown_type" doc:"type unknown and no error" rfc:"RFC 4443 2.4(b)"`
	DropQuote       stats.Counter `name:"icmp6.drop.bad_quote" doc:"errors that quote no datagram of this host" rfc:"RFC 4443 2.4(d)"`
	DropMTU         stats.Counter `name:"icmp6.drop.small_mtu" doc:"packet too big with an MTU below 1280" rfc:"RFC 8201 4"`
	DropNoRoute     stats.Counter `name:"icmp6.drop.no_route" doc:"messages for which there was no way" rfc:"RFC 4443 3.1"`
	SilentMulticast stats.Counter `name:"icmp6.silent.multicast" doc:"no error about a multicast datagram" rfc:"RFC 4443 2.4(e.3)"`
	SilentSource    stats.Counter `name:"icmp6.silent.source" doc:"no error to an address that is no single host's" rfc:"RFC 4443 2.4(e.6)"`
	SilentError     stats.Counter `name:"icmp6.silent.error" doc:"no error about an ICMPv6 error or a redirect" rfc:"RFC 4443 2.4(e.1)"`
	SilentRate      stats.Counter `name:"icmp6.silent.rate" doc:"no error because of the rate limits" rfc:"RFC 4443 2.4(f)"`
}

// New6 returns the ICMP layer for IPv6 and registers it, as a transport and as IPv6's reporter of errors. It shares the rate limits of
// errors with v4.
func New6(stack *ip.Stack, v6 *ipv6.Stack, v4 *Stack) *Stack6 {
	s := &Stack6{ip: stack, v6: v6, limit: v4.limit}
	stack.RegisterIn(v6, ip.ProtocolICMPv6, s)
	v6.SetReporter(s)
	return s
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack6) Stats() any { return &s.stats }

// Input handles a message (ip.Protocol). Raw sockets have seen it already.
func (s *Stack6) Input(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	s.stats.InMessages.Inc()
	b := p.Bytes()
	switch {
	case len(b) < HeaderLen:
		s.drop(&s.stats.DropTruncated, p)
	case p.Offload.Checksum == packet.ChecksumNone && checksum.Sum(b, d.PseudoSum(len(b))) != 0xffff:
		s.drop(&s.stats.DropChecksum, p)
	case b[0] == EchoRequest6:
		s.stats.InEchos.Inc()
		s.echo(now, d, p)
	case b[0] == EchoReply6:
		s.stats.InReplies.Inc()
		p.Free()
	case ip.IsMLD(b[0]):
		s.v6.InputMLD(now, d, p)
	case nd.Is(b[0]):
		s.discover(now, d, p)
	case b[0] < firstQuery6:
		s.receiveError(now, d, b)
		p.Free()
	default:
		s.drop(&s.stats.DropUnknown, p)
	}
}

func (s *Stack6) drop(why *stats.Counter, p *packet.Buffer) {
	why.Inc()
	p.Free()
}

// echo answers an echo request from the address that it was sent to, or if that was a group or an anycast address from one of the
// interface (RFC 4443 section 4.2).
func (s *Stack6) echo(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	r, err := s.routeBack(d)
	if err != nil {
		s.drop(&s.stats.DropNoRoute, p)
		return
	}
	p.Bytes()[0] = EchoReply6
	putChecksum6(r, p.Bytes())
	p.Offload = packet.Offload{}
	if s.ip.Send(now, r, ip.Outgoing{TOS: d.TOS, Protocol: ip.ProtocolICMPv6}, p) == nil {
		s.stats.OutEchos.Inc()
	}
}

// routeBack is the route of an answer to d. Its source is d's destination, if that is a unicast address of this stack.
func (s *Stack6) routeBack(d *ip.Datagram) (*ip.Route, error) {
	src := netip.Addr{}
	if to := s.ip.Class(d.Dst); to.Local && !to.Anycast {
		src = d.Dst
	}
	via := ip.Via{}
	if d.Cast == packet.Multicast && d.In != nil && !d.In.Loopback() && s.ip.Class(d.Src).Form == ip.FormHost {
		via.Device = d.In
	}
	return s.ip.RouteVia(d.Src, src, via)
}

// putChecksum6 computes the checksum of a message that leaves along r.
func putChecksum6(r *ip.Route, b []byte) {
	b[2], b[3] = 0, 0
	checksum.Put(b[2:], ^checksum.Sum(b, r.PseudoSum(ip.ProtocolICMPv6, len(b))))
}
