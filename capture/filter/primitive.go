package filter

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// qualifiers are the words before an identifier.
type qualifiers struct{ proto, dir, kind string }

// protocols are the protocol numbers of IP.
var protocols = map[string]uint8{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}

// networks are EtherTypes.
var networks = map[string]uint16{"ip": typeIPv4, "ip6": typeIPv6, "arp": typeARP, "rarp": typeRARP}

// primitive parses [PROTO] [DIR] [KIND] ID, PROTO, or one of the words without qualifiers. An ID alone has the qualifiers of the ID before
// it.
func (p *parser) primitive(depth int) (predicate, error) {
	switch {
	case p.take("inbound"):
		return func(v *view) bool { return !v.out }, nil
	case p.take("outbound"):
		return func(v *view) bool { return v.out }, nil
	case p.token() == "less" || p.token() == "greater":
		return p.length()
	}
	q, err := p.qualifiers()
	if err != nil {
		return nil, err
	}
	if chosen := p.cast(q); chosen != nil {
		return chosen, nil
	}
	if q == (qualifiers{}) {
		q = p.last
	} else if q.dir == "" && q.kind == "" && q.proto != "ether" {
		return protocol(q.proto), nil
	}
	p.last = q
	if p.token() == "(" { // the qualifiers apply to all identifiers in it
		return p.group(depth)
	}
	return p.identifier(q)
}

// length parses less LEN or greater LEN.
func (p *parser) length() (predicate, error) {
	less := p.token() == "less"
	n, err := value(p.ahead(1))
	p.at += 2
	return func(v *view) bool {
		size := uint32(len(v.data))
		return size == n || size < n == less
	}, err
}

func (p *parser) qualifiers() (q qualifiers, err error) {
	_, network := networks[p.token()]
	_, transport := protocols[p.token()]
	if network || transport || p.token() == "ether" {
		q.proto = p.token()
		p.at++
	}
	if p.token() == "src" || p.token() == "dst" {
		q.dir = p.token()
		p.at++
		if other := p.ahead(1); (p.token() == "or" || p.token() == "and") && (other == "src" || other == "dst") {
			q.dir = p.token()
			p.at += 2
		}
	}
	if slices.Contains([]string{"host", "net", "port", "portrange", "proto", "protochain"}, p.token()) {
		q.kind = p.token()
		p.at++
	}
	return q, q.check()
}

// Protocols that may stand before each kind, or before an identifier without one: directed also with src or dst between them.
var (
	directed = map[string][]string{
		"": {"ether", "ip", "ip6", "arp", "rarp"}, "host": {"ether", "ip", "ip6", "arp", "rarp"}, "net": {"ip", "ip6", "arp", "rarp"},
		"port": {"tcp", "udp", "sctp"}, "portrange": {"tcp", "udp", "sctp"},
	}
	undirected = map[string][]string{"": {"icmp", "igmp", "tcp", "udp", "icmp6", "sctp"}, "proto": {"ip", "ip6"}, "protochain": {"ip", "ip6"}}
)

// check rejects qualifiers that cannot be combined.
func (q qualifiers) check() error {
	with, known := directed[q.kind]
	switch {
	case known && (q.proto == "" || slices.Contains(with, q.proto)):
		return nil
	case q.dir == "" && (q.proto == "" || slices.Contains(undirected[q.kind], q.proto)):
		return nil
	case q.kind == "port" || q.kind == "portrange":
		return fmt.Errorf("%s has no ports", q.proto)
	}
	return fmt.Errorf("%s cannot be combined", strings.Join(strings.Fields(q.proto+" "+q.dir+" "+q.kind), " "))
}

// protocol selects the packets of one protocol.
func protocol(name string) predicate {
	if kind, ok := networks[name]; ok {
		return func(v *view) bool { return v.kind == kind }
	}
	n := uint32(protocols[name])
	v4, v6 := numbered4(n), numbered6(n)
	switch name {
	case "icmp", "igmp":
		return v4
	case "icmp6":
		return v6
	}
	return func(v *view) bool { return v4(v) || v6(v) }
}

// numbered4 selects by the protocol number of IPv4, fragments too.
func numbered4(n uint32) predicate {
	return func(v *view) bool { return v.kind == typeIPv4 && v.load(v.net, 9, 1) == n }
}

// numbered6 selects by the next header of IPv6, or that of the first fragment header.
func numbered6(n uint32) predicate {
	return func(v *view) bool {
		if v.kind != typeIPv6 {
			return false
		}
		next := v.load(v.net, 6, 1)
		return next == n || next == 44 && v.load(v.net, 40, 1) == n
	}
}

// identifier parses the identifier behind the qualifiers.
func (p *parser) identifier(q qualifiers) (predicate, error) {
	id := p.token()
	switch {
	case id == "":
		return nil, p.unexpected()
	case !isWord(id):
		return nil, fmt.Errorf("syntax error at %q: expected a primitive", id)
	}
	p.at++
	switch q.kind {
	case "port":
		n, err := portNumber(id, q.proto)
		return ports(q, n, n), err
	case "portrange":
		return portRange(q, id)
	case "proto", "protochain":
		return protoNumber(q, id)
	case "net":
		return p.network(q, id)
	}
	if q.proto == "ether" {
		mac, err := net.ParseMAC(id)
		if err != nil || len(mac) != 6 {
			return nil, fmt.Errorf("%q is not an Ethernet address", id)
		}
		return station(q.dir, mac), nil
	}
	addr, err := netip.ParseAddr(id)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address", id)
	}
	if addr.Zone() != "" {
		return nil, fmt.Errorf("%s: the addresses in packets have no zone", addr)
	}
	return hosts(q, netip.PrefixFrom(addr, addr.BitLen()))
}

// isWord reports whether a token is a word or a number and not an operator.
func isWord(token string) bool {
	operator := slices.Contains([]string{"and", "or", "not"}, token)
	return !operator && strings.ContainsFunc(token, func(r rune) bool { return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
}

// network parses the rest of a net: ADDR/LEN, ADDR mask MASK, or an address without its last parts.
func (p *parser) network(q qualifiers, id string) (predicate, error) {
	bits := 8 * (strings.Count(id, ".") + 1)
	full := id
	if !strings.Contains(id, ":") {
		full += strings.Repeat(".0", max(4-bits/8, 0))
	}
	addr, err := netip.ParseAddr(full)
	if err != nil || addr.Zone() != "" {
		return nil, fmt.Errorf("%q is not a network", id)
	}
	if addr.Is6() {
		bits = 128
	}
	switch {
	case p.take("/"):
		bits, err = strconv.Atoi(p.token())
		if err != nil || bits < 0 || bits > addr.BitLen() {
			return nil, fmt.Errorf("%s/%s is not a network", id, p.token())
		}
		p.at++
	case p.take("mask"):
		mask, err := netip.ParseAddr(p.token())
		if err != nil || !mask.Is4() || !addr.Is4() {
			return nil, fmt.Errorf("%q is not a mask", p.token())
		}
		ones, size := net.IPMask(mask.AsSlice()).Size()
		if size == 0 {
			return nil, fmt.Errorf("%s is not a mask", mask)
		}
		bits = ones
		p.at++
	}
	if prefix := netip.PrefixFrom(addr, bits); prefix.Masked().Addr() != addr {
		return nil, fmt.Errorf("%s has bits outside of its network", prefix)
	}
	return hosts(q, netip.PrefixFrom(addr, bits))
}

// hosts selects packets by the addresses of IP and ARP.
func hosts(q qualifiers, prefix netip.Prefix) (predicate, error) {
	type place struct {
		kind     uint16
		src, dst uint32
	}
	size := uint32(prefix.Addr().BitLen() / 8)
	places := []place{{typeIPv4, 12, 16}, {typeARP, 14, 24}, {typeRARP, 14, 24}}
	if prefix.Addr().Is6() {
		places = []place{{typeIPv6, 8, 24}}
	}
	if kind, ok := networks[q.proto]; ok {
		places = slices.DeleteFunc(places, func(p place) bool { return p.kind != kind })
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("%s has no address %s", q.proto, prefix.Addr())
	}
	return func(v *view) bool {
		for _, at := range places {
			if at.kind == v.kind {
				return either(q.dir, func() bool { return v.in(prefix, at.src, size) }, func() bool { return v.in(prefix, at.dst, size) })
			}
		}
		return false
	}, nil
}

// in reports whether the address at offset is in a network.
func (v *view) in(prefix netip.Prefix, offset, size uint32) bool {
	if int(offset+size) > len(v.net) {
		v.short = true
		return false
	}
	addr, _ := netip.AddrFromSlice(v.net[offset : offset+size])
	return prefix.Contains(addr)
}

// either combines the conditions on source and destination by the direction.
func either(dir string, src, dst func() bool) bool {
	switch dir {
	case "src":
		return src()
	case "dst":
		return dst()
	case "and":
		return src() && dst()
	}
	return src() || dst()
}

// station selects frames by the addresses of Ethernet.
func station(dir string, mac net.HardwareAddr) predicate {
	return func(v *view) bool {
		return v.ether && len(v.data) >= 12 && either(dir,
			func() bool { return bytes.Equal(v.data[6:12], mac) }, func() bool { return bytes.Equal(v.data[:6], mac) })
	}
}
