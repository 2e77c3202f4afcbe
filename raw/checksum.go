package raw

import (
	"slices"
	"syscall"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// icmpChecksum is the offset of the checksum in an ICMP message.
const icmpChecksum = 2

// checksumAt is the offset of the checksum in the payloads of an IPv6 socket (IPV6_CHECKSUM, RFC 3542 section 3.1); negative: the stack
// neither computes nor verifies one.
func (e *Socket) checksumAt(st *dgram.State) int {
	switch {
	case st.Options.Versions == ip.V4:
		return -1
	case e.protocol == ip.ProtocolICMPv6:
		return icmpChecksum
	}
	return st.Options.Checksum
}

// withChecksum returns a copy of the payload b with the checksum at an offset. The error is EINVAL for a payload that ends before it.
func (e *Socket) withChecksum(route *ip.Route, b []byte, at int) ([]byte, error) {
	if len(b) < at+2 {
		return nil, syscall.EINVAL
	}
	b = slices.Clone(b)
	clear(b[at : at+2])
	sum := ^checksum.Sum(b, route.PseudoSum(e.protocol, len(b)))
	if sum == 0 && e.protocol == ip.ProtocolUDP {
		sum = 0xffff // zero would mean none (RFC 8200 section 8.1)
	}
	checksum.Put(b[at:], sum)
	return b, nil
}

// verified reports whether the checksum of the payload in p, behind its IP header, is right.
func verified(d *ip.Datagram, p *packet.Buffer) bool {
	b := p.Bytes()[d.HeaderLen:]
	return p.Offload.Checksum != packet.ChecksumNone || checksum.Sum(b, d.PseudoSum(len(b))) == 0xffff
}

// takes6 is the part of takes that is about the payload of an IPv6 datagram.
func (e *Socket) takes6(st *dgram.State, d *ip.Datagram, p *packet.Buffer) bool {
	if e.checksumAt(st) >= 0 && !verified(d, p) {
		return false
	}
	f := st.Options.ICMP6Filter
	return f == nil || d.Protocol != ip.ProtocolICMPv6 || p.Len() <= d.HeaderLen || !f.Blocks(p.Bytes()[d.HeaderLen])
}
