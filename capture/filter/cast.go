package filter

import "net"

var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// casts select by the kind of the destination: the words of pcap, and what stands before them.
var casts = map[string]predicate{
	"multicast":       multicastFrame,
	"ether multicast": multicastFrame,
	"broadcast":       station("dst", broadcast),
	"ether broadcast": station("dst", broadcast),
	"ip multicast":    func(v *view) bool { return v.kind == typeIPv4 && v.load(v.net, 16, 1) >= 224 },
	"ip6 multicast":   func(v *view) bool { return v.kind == typeIPv6 && v.load(v.net, 24, 1) == 255 },
}

func multicastFrame(v *view) bool { return v.ether && v.load(v.data, 0, 1)&1 != 0 }

// cast takes multicast or broadcast behind q; nil if the next token is another.
func (p *parser) cast(q qualifiers) predicate {
	name := p.token()
	if q.proto != "" {
		name = q.proto + " " + name
	}
	chosen := casts[name]
	if chosen == nil || q.dir != "" || q.kind != "" {
		return nil
	}
	p.at++
	return chosen
}
