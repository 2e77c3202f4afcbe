package filter

import (
	"fmt"
	"strconv"
)

// number evaluates an arithmetic expression; false for a packet without a header that the expression reads.
type number func(*view) (uint32, bool)

// constants are the named numbers: offsets, bits and types of headers.
var constants = map[string]uint32{
	"tcpflags": 13, "icmptype": 0, "icmpcode": 1,
	"tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8,
	"icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
	"icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1,
	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
	"icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
	"icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
	"icmp6-neighboradvert": 136, "icmp6-redirect": 137, "icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139,
	"icmp6-nodeinformationresponse": 140, "icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144, "icmp6-homeagentdiscoveryreply": 145,
	"icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147, "icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149,
	"icmp6-multicastrouteradvert": 151, "icmp6-multicastroutersolicit": 152, "icmp6-multicastrouterterm": 153,
}

// arithmetic reports whether a comparison may start here.
func (p *parser) arithmetic() bool {
	t := p.token()
	_, constant := constants[t]
	_, err := value(t)
	return constant || err == nil || t == "-" || t == "(" || t == "len" || p.ahead(1) == "["
}

// value parses a number as C does: 80, 0x50, 0120.
func value(t string) (uint32, error) {
	n, err := strconv.ParseUint(t, 0, 32)
	if err != nil {
		err = fmt.Errorf("%q is not a number", t)
	}
	return uint32(n), err
}

// relations compare two numbers.
var relations = map[string]func(a, b uint32) bool{
	"=": func(a, b uint32) bool { return a == b }, "==": func(a, b uint32) bool { return a == b },
	"!=": func(a, b uint32) bool { return a != b }, "<": func(a, b uint32) bool { return a < b },
	">": func(a, b uint32) bool { return a > b }, "<=": func(a, b uint32) bool { return a <= b },
	">=": func(a, b uint32) bool { return a >= b },
}

// comparison parses two numbers and the relation between them.
func (p *parser) comparison() (predicate, error) {
	a, err := p.number(0, 0)
	if err != nil {
		return nil, err
	}
	holds := relations[p.token()]
	if holds == nil {
		return nil, p.unexpected()
	}
	p.at++
	b, err := p.number(0, 0)
	return func(v *view) bool {
		x, ok := a(v)
		y, also := b(v)
		return ok && also && holds(x, y)
	}, err
}

// operator is a binary operator with its precedence level.
type operator struct {
	level int
	apply func(v *view, a, b uint32) uint32
}

var operators = map[string]operator{
	"|": {1, func(_ *view, a, b uint32) uint32 { return a | b }}, "&": {1, func(_ *view, a, b uint32) uint32 { return a & b }},
	"<<": {2, func(_ *view, a, b uint32) uint32 { return a << b }}, ">>": {2, func(_ *view, a, b uint32) uint32 { return a >> b }},
	"+": {3, func(_ *view, a, b uint32) uint32 { return a + b }}, "-": {3, func(_ *view, a, b uint32) uint32 { return a - b }},
	"*": {4, func(_ *view, a, b uint32) uint32 { return a * b }}, "/": {4, divide},
}

// divide divides a by b. If b is 0, the filter does not select the packet.
func divide(v *view, a, b uint32) uint32 {
	if b == 0 {
		v.short = true
		return 0
	}
	return a / b
}

// number parses operands and the operators of at least the given level between them.
func (p *parser) number(level, depth int) (number, error) {
	left, err := p.operand(depth)
	for err == nil {
		op, ok := operators[p.token()]
		if !ok || op.level <= level {
			return left, nil
		}
		p.at++
		var b number
		b, err = p.number(op.level, depth)
		a := left
		left = func(v *view) (uint32, bool) {
			x, ok := a(v)
			y, also := b(v)
			if !ok || !also {
				return 0, false
			}
			return op.apply(v, x, y), true
		}
	}
	return nil, err
}

func (p *parser) operand(depth int) (number, error) {
	if depth > maxDepth {
		return nil, errTooLong
	}
	t := p.token()
	if n, ok := constants[t]; ok {
		p.at++
		return fixed(n), nil
	}
	switch {
	case p.take("-"):
		a, err := p.operand(depth + 1)
		return func(v *view) (uint32, bool) { x, ok := a(v); return -x, ok }, err
	case p.take("("):
		a, err := p.number(0, depth+1)
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return a, err
	case p.take("len"):
		return func(v *view) (uint32, bool) { return uint32(len(v.data)), true }, nil
	case p.ahead(1) == "[":
		return p.bytes(depth)
	case t == "":
		return nil, p.unexpected()
	}
	n, err := value(t)
	p.at++
	return fixed(n), err
}

func fixed(n uint32) number { return func(*view) (uint32, bool) { return n, true } }

// bytes parses HEADER[OFFSET] or HEADER[OFFSET:SIZE].
func (p *parser) bytes(depth int) (number, error) {
	header := headers[p.token()]
	if header == nil {
		return nil, p.unexpected()
	}
	p.at += 2
	offset, err := p.number(0, depth+1)
	if err != nil {
		return nil, err
	}
	size := uint32(1)
	if p.take(":") {
		if size, err = value(p.token()); err != nil || size != 1 && size != 2 && size != 4 {
			return nil, fmt.Errorf("load size %q: it must be 1, 2 or 4", p.token())
		}
		p.at++
	}
	if !p.take("]") {
		return nil, p.unexpected()
	}
	return func(v *view) (uint32, bool) {
		b, ok := header(v)
		at, also := offset(v)
		if !ok || !also {
			return 0, false
		}
		return v.load(b, at, size), true
	}, nil
}

// headers return the named header of a packet; false if the packet has none.
var headers = map[string]func(*view) ([]byte, bool){
	"ether": func(v *view) ([]byte, bool) { return v.data, v.ether },
	"ip":    func(v *view) ([]byte, bool) { return v.net, v.kind == typeIPv4 },
	"ip6":   func(v *view) ([]byte, bool) { return v.net, v.kind == typeIPv6 },
	"arp":   func(v *view) ([]byte, bool) { return v.net, v.kind == typeARP },
	"rarp":  func(v *view) ([]byte, bool) { return v.net, v.kind == typeRARP },
	"tcp":   transportOf(typeIPv4, "tcp"), "udp": transportOf(typeIPv4, "udp"), "icmp": transportOf(typeIPv4, "icmp"),
	"igmp": transportOf(typeIPv4, "igmp"), "sctp": transportOf(typeIPv4, "sctp"), "icmp6": transportOf(typeIPv6, "icmp6"),
}

// transportOf returns the transport header behind the header of one version of IP: that of IPv4 but for ICMPv6, as in pcap.
func transportOf(kind uint16, name string) func(*view) ([]byte, bool) {
	return func(v *view) ([]byte, bool) {
		if v.kind != kind {
			return nil, false
		}
		return v.transport(protocols[name])
	}
}
