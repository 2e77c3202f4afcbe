// Package icmp is the Internet Control Message Protocol (RFC 792, RFC 1122 section 3.2.2): it answers echo requests,
// sends the errors that ipv4 and the transports report, and hands the errors it receives to the transport they are about.
package icmp

import (
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ipv4"
)

// Types of messages that are not errors (RFC 792).
const (
	EchoReply      = 0
	EchoRequest    = 8
	Timestamp      = 13
	TimestampReply = 14
)

// HeaderLen is the length in octets of what every message starts with: type, code, checksum and four octets more.
const HeaderLen = 8

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	// Rate and Burst limit the errors sent in all, per second and on average; default 1000 and 50. A negative Rate lifts the limit.
	Rate, Burst int
	// Secret seeds the random part of the limits.
	Secret [32]byte
	// PeerInterval and PeerBurst limit the errors sent to one host; default one per second after the first 6, as Linux does.
	// A negative PeerInterval lifts the limit.
	PeerInterval time.Duration
	PeerBurst    int

	// EchoBroadcast answers echo requests sent to broadcast and multicast addresses, which amplifies attacks.
	EchoBroadcast bool
	// TimeOfDay, when set, makes the stack answer Timestamp requests with it: the time since midnight UT.
	TimeOfDay func() time.Duration
}

// Stack is the ICMP layer of one host.
type Stack struct {
	ip    *ip.Stack
	cfg   Config
	stats counters
	limit *limiter
}

type counters struct {
	InMessages  stats.Counter `name:"icmp.in.messages" doc:"messages received"`
	InEchos     stats.Counter `name:"icmp.in.echo_requests" doc:"echo requests received" rfc:"RFC 1122 3.2.2.6"`
	InReplies   stats.Counter `name:"icmp.in.replies" doc:"replies received, for raw sockets" rfc:"RFC 1122 3.2.2.6"`
	InErrors    stats.Counter `name:"icmp.in.errors" doc:"errors handed to a transport" rfc:"RFC 1122 3.2.2.1"`
	InRedirects stats.Counter `name:"icmp.in.redirects" doc:"redirects received" rfc:"RFC 1122 3.2.2.2"`
	OutEchos    stats.Counter `name:"icmp.out.echo_replies" doc:"echo requests answered" rfc:"RFC 1122 3.2.2.6"`
	OutStamps   stats.Counter `name:"icmp.out.timestamp_replies" doc:"timestamp requests answered" rfc:"RFC 1122 3.2.2.8"`
	OutErrors   stats.Counter `name:"icmp.out.errors" doc:"errors sent" rfc:"RFC 1122 3.2.2"`

	DropTruncated    stats.Counter `name:"icmp.drop.truncated" doc:"shorter than its type allows" rfc:"RFC 792"`
	DropChecksum     stats.Counter `name:"icmp.drop.bad_checksum" doc:"checksum wrong" rfc:"RFC 792"`
	DropUnknown      stats.Counter `name:"icmp.drop.unknown_type" doc:"type unknown or not answered" rfc:"RFC 1122 3.2.2"`
	DropSourceQuench stats.Counter `name:"icmp.drop.source_quench" doc:"source quenches" rfc:"RFC 6633 5"`
	DropBroadcast    stats.Counter `name:"icmp.drop.broadcast" doc:"requests to a broadcast or multicast address" rfc:"RFC 1122 3.2.2.6"`
	DropQuote        stats.Counter `name:"icmp.drop.bad_quote" doc:"errors that quote no datagram of this host" rfc:"RFC 1122 3.2.2"`
	DropNoRoute      stats.Counter `name:"icmp.drop.no_route" doc:"messages for which there was no way" rfc:"RFC 1812 5.2.7.1"`
	SilentCast       stats.Counter `name:"icmp.silent.broadcast" doc:"no error about a datagram that was not unicast" rfc:"RFC 1122 3.2.2"`
	SilentFragment   stats.Counter `name:"icmp.silent.fragment" doc:"no error about a fragment other than the first" rfc:"RFC 1122 3.2.2"`
	SilentSource     stats.Counter `name:"icmp.silent.source" doc:"no error to an address that is no single host's" rfc:"RFC 1122 3.2.2"`
	SilentError      stats.Counter `name:"icmp.silent.error" doc:"no error about an ICMP error" rfc:"RFC 1122 3.2.2"`
	SilentRate       stats.Counter `name:"icmp.silent.rate" doc:"no error because of the rate limits" rfc:"RFC 1812 4.3.2.8"`
}

// New returns the ICMP layer and registers it, as a transport and as IPv4's reporter of errors.
func New(stack *ip.Stack, v4 *ipv4.Stack, cfg Config) *Stack {
	s := &Stack{ip: stack, cfg: cfg, limit: newLimiter(cfg)}
	stack.RegisterIn(v4, ip.ProtocolICMP, s)
	v4.SetReporter(s)
	return s
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack) Stats() any { return &s.stats }

// Input handles a message. Raw sockets have seen it already.
func (s *Stack) Input(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	s.stats.InMessages.Inc()
	b := p.Bytes()
	switch {
	case len(b) < HeaderLen:
		s.drop(&s.stats.DropTruncated, p)
	case checksum.Sum(b, 0) != 0xffff:
		s.drop(&s.stats.DropChecksum, p)
	default:
		s.dispatch(now, d, p)
	}
}

func (s *Stack) drop(why *stats.Counter, p *packet.Buffer) {
	why.Inc()
	p.Free()
}

func (s *Stack) dispatch(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	switch p.Bytes()[0] {
	case EchoRequest:
		s.stats.InEchos.Inc()
		s.echo(now, d, p)
	case Timestamp:
		s.timestamp(now, d, p)
	case EchoReply, TimestampReply:
		s.stats.InReplies.Inc()
		p.Free()
	case Unreachable, TimeExceeded, ParameterProblem, Redirect:
		s.receiveError(now, d, p.Bytes())
		p.Free()
	case SourceQuench:
		s.drop(&s.stats.DropSourceQuench, p)
	default:
		s.drop(&s.stats.DropUnknown, p)
	}
}
