// Package icmpmsg has the parts of ICMP and ICMPv6 that ping and traceroute share.
package icmpmsg

import (
	"fmt"
	"net/netip"

	"tunstack/icmp"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
)

// Family is the ICMP of one version of IP.
type Family struct {
	Network   string // of a raw socket, without the protocol: ip4 or ip6
	Protocol  uint8
	HeaderLen int // of the IP header without options

	// Types of messages.
	Echo, EchoReply, Unreachable, TimeExceeded, ParameterProblem uint8
}

var (
	v4 = Family{
		Network: "ip4", Protocol: ip.ProtocolICMP, HeaderLen: ipv4.HeaderLen, Echo: icmp.EchoRequest, EchoReply: icmp.EchoReply,
		Unreachable: icmp.Unreachable, TimeExceeded: icmp.TimeExceeded, ParameterProblem: icmp.ParameterProblem,
	}
	v6 = Family{
		Network: "ip6", Protocol: ip.ProtocolICMPv6, HeaderLen: ipv6.HeaderLen, Echo: icmp.EchoRequest6, EchoReply: icmp.EchoReply6,
		Unreachable: icmp.Unreachable6, TimeExceeded: icmp.TimeExceeded6, ParameterProblem: icmp.ParameterProblem6,
	}
)

// Of returns the Family of an address.
func Of(a netip.Addr) *Family {
	if a.Is4() {
		return &v4
	}
	return &v6
}

// Socket is the network of a raw ICMP socket, for Dial.
func (f *Family) Socket() string { return fmt.Sprintf("%s:%d", f.Network, f.Protocol) }

// Split parses the IP header of a datagram, or of the start of one that an ICMP error quotes, and returns it with the message behind it,
// which has at least icmp.HeaderLen bytes. It returns false for a shorter one, and for a fragment that is not the first.
func Split(b []byte) (d ip.Datagram, message []byte, ok bool) {
	first := false
	if len(b) > 0 && b[0]>>4 == 6 {
		var h ipv6.Header
		ok = h.Parse(b)
		d, first = h.Datagram, h.Offset == 0
	} else {
		var h ipv4.Header
		ok = h.Parse(b)
		d, first = h.Datagram, h.Offset == 0
	}
	if !ok || !first || len(b) < d.HeaderLen+icmp.HeaderLen {
		return d, nil, false
	}
	return d, b[d.HeaderLen:], true
}
