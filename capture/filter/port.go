package filter

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// ports selects the packets of a transport with a port from low to high.
func ports(q qualifiers, low, high uint16) predicate {
	numbers := []uint8{protocols["tcp"], protocols["udp"], protocols["sctp"]}
	if q.proto != "" {
		numbers = []uint8{protocols[q.proto]}
	}
	return func(v *view) bool {
		for _, n := range numbers {
			b, ok := v.transport(n)
			if !ok {
				continue
			}
			in := func(offset uint32) func() bool {
				return func() bool {
					port := v.load(b, offset, 2)
					return !v.short && uint32(low) <= port && port <= uint32(high)
				}
			}
			return either(q.dir, in(0), in(2))
		}
		return false
	}
}

// portNumber parses a port: a number, or a name in /etc/services.
func portNumber(id, proto string) (uint16, error) {
	if n, err := strconv.ParseUint(id, 10, 16); err == nil {
		return uint16(n), nil
	}
	if id[0] >= '0' && id[0] <= '9' {
		return 0, fmt.Errorf("%q is not a port", id)
	}
	n, err := net.LookupPort(cmp.Or(proto, "tcp"), id)
	if err != nil && proto == "" {
		n, err = net.LookupPort("udp", id)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a port", id)
	}
	return uint16(n), nil
}

func portRange(q qualifiers, id string) (predicate, error) {
	from, to, ok := strings.Cut(id, "-")
	low, err := strconv.ParseUint(from, 10, 16)
	high, also := strconv.ParseUint(to, 10, 16)
	if !ok || err != nil || also != nil {
		return nil, fmt.Errorf("%q is not a range of ports", id)
	}
	return ports(q, uint16(min(low, high)), uint16(max(low, high))), nil
}

// protoNumber parses the number or the name behind proto or protochain.
func protoNumber(q qualifiers, id string) (predicate, error) {
	n, err := value(id)
	if number, ok := protocols[id]; ok {
		n, err = uint32(number), nil
	}
	if err != nil || n > 255 {
		return nil, fmt.Errorf("%q is not a protocol", id)
	}
	v4, v6 := numbered4(n), numbered6(n)
	if q.kind == "protochain" {
		v6 = func(v *view) bool { return v.kind == typeIPv6 && v.chain(n) }
	}
	switch q.proto {
	case "ip":
		return v4, nil
	case "ip6":
		return v6, nil
	}
	return func(v *view) bool { return v4(v) || v6(v) }, nil
}
