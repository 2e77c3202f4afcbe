// Package filter selects packets by expressions in tcpdump's syntax, see pcap-filter(7).
package filter

import (
	"encoding/binary"
	"fmt"

	"github.com/gopacket/gopacket/layers"

	"tunstack/capture"
)

// Help describes the supported part of tcpdump's syntax.
const Help = `FILTER is in tcpdump's syntax, see pcap-filter(7). Supported are
  host ADDR, net ADDR/LEN, net ADDR mask MASK, port PORT, portrange A-B, proto NUMBER,
    with src or dst before them, and ip, ip6, arp, tcp or udp before that
  protochain NUMBER, which looks behind extension headers
  ether host MAC, ether src MAC, ether dst MAC
  ip, ip6, arp, rarp, tcp, udp, icmp, icmp6, igmp, sctp
  ip multicast, ip6 multicast, ether multicast, ether broadcast
  inbound (to the stack), outbound, less LEN, greater LEN
  comparisons of numbers, len and bytes of headers with + - * / & | << >>:
    tcp[tcpflags] & (tcp-syn|tcp-fin) != 0, icmp6[icmp6type] = icmp6-echo, ip[2:2] > 576
  and, or, not (also && || !) and parentheses
Hosts are addresses, not names; ports may be names.`

// Filter is a compiled expression. The zero value selects all packets.
type Filter struct{ match predicate }

// predicate reports whether a packet is selected.
type predicate func(*view) bool

// Match reports whether the filter selects a packet.
func (f *Filter) Match(p *capture.Packet, s capture.Source) bool {
	if f.match == nil {
		return true
	}
	v := newView(p, s)
	return f.match(&v) && !v.short
}

// view is a packet as predicates see it.
type view struct {
	data  []byte // the whole packet
	ether bool   // it starts with an Ethernet header
	out   bool
	kind  uint16 // EtherType
	net   []byte // from the network header on
	short bool   // an expression has loaded a byte behind its end: it is not selected, as in BPF
}

// EtherTypes.
const (
	typeIPv4 = uint16(layers.EthernetTypeIPv4)
	typeIPv6 = uint16(layers.EthernetTypeIPv6)
	typeARP  = uint16(layers.EthernetTypeARP)
	typeRARP = 0x8035
)

// Next Header values of IPv6 extension headers.
const (
	hopByHop       = uint32(layers.IPProtocolIPv6HopByHop)
	routing        = uint32(layers.IPProtocolIPv6Routing)
	fragment       = uint32(layers.IPProtocolIPv6Fragment)
	authentication = uint32(layers.IPProtocolAH)
	destination    = uint32(layers.IPProtocolIPv6Destination)
)

func newView(p *capture.Packet, s capture.Source) view {
	v := view{data: p.Data, net: p.Data, out: p.Out, ether: s.Link == layers.LinkTypeEthernet}
	switch {
	case v.ether && len(v.data) >= 14:
		v.kind, v.net = binary.BigEndian.Uint16(v.data[12:]), v.data[14:]
	case v.ether:
		v.net = nil
	case len(v.data) > 0 && v.data[0]>>4 == 4:
		v.kind = typeIPv4
	case len(v.data) > 0 && v.data[0]>>4 == 6:
		v.kind = typeIPv6
	}
	return v
}

// load returns size bytes at offset of b as a number in network byte order.
func (v *view) load(b []byte, offset, size uint32) uint32 {
	if uint64(offset)+uint64(size) > uint64(len(b)) {
		v.short = true
		return 0
	}
	n := uint32(0)
	for _, byte := range b[offset : offset+size] {
		n = n<<8 | uint32(byte)
	}
	return n
}

// transport returns the transport header of a packet with the given protocol; false for others and for all fragments but the first.
func (v *view) transport(protocol uint8) ([]byte, bool) {
	switch {
	case v.kind == typeIPv4 && v.load(v.net, 9, 1) == uint32(protocol) && v.load(v.net, 6, 2)&0x1fff == 0:
		return v.net[min(int(v.net[0]&15)*4, len(v.net)):], true
	case v.kind == typeIPv6 && v.load(v.net, 6, 1) == uint32(protocol):
		return v.net[min(40, len(v.net)):], true
	}
	return nil, false
}

// chain reports whether a header of an IPv6 packet, or its transport, has a protocol number.
func (v *view) chain(n uint32) bool {
	next, at := v.load(v.net, 6, 1), uint32(40)
	for next != n && !v.short {
		size := uint32(8) // of a Fragment header
		switch next {
		case fragment:
		case hopByHop, routing, destination:
			size = (v.load(v.net, at+1, 1) + 1) * 8
		case authentication:
			size = (v.load(v.net, at+1, 1) + 2) * 4
		default:
			return false
		}
		next = v.load(v.net, at, 1)
		at += size
	}
	return !v.short
}

// Parse compiles an expression; an empty one selects all packets.
func Parse(text string) (*Filter, error) {
	p := parser{}
	if err := p.lex(text); err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if len(p.tokens) == 0 {
		return &Filter{}, nil
	}
	match, err := p.expression(0)
	if err == nil && p.token() != "" {
		err = p.unexpected()
	}
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return &Filter{match}, nil
}
