package socketapi

import (
	"cmp"
	"math"
	"net/netip"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// Ancillary holds the control messages of one send, which take precedence over the options of the socket (RFC 3542 section 6, ip(7)). A zero
// field has no effect.
type Ancillary struct {
	Ifindex    int         // IP_PKTINFO, IPV6_PKTINFO: number of the interface to leave by; the source is Message.Local
	HopLimit   *int        // IP_TTL, from 1 to 255; IPV6_HOPLIMIT, from -1, which has no effect, to 255
	TClass     *int        // IP_TOS, from 0 to 255; IPV6_TCLASS, from -1, which means 0, to 255
	DontFrag   *bool       // IPV6_DONTFRAG
	Segment    *uint16     // UDP_SEGMENT
	FlowInfo   uint32      // the flow label in a struct sockaddr_in6, with IPV6_FLOWINFO_SEND
	Extensions []Extension // of IPv6: a Header of length 0 removes the socket's
}

// control turns the control messages a, which may be nil, into the choices of a send, with the error that they cause: as on Linux EINVAL for a
// value out of range and for an IPv6 source that the stack does not have, ENODEV for an unknown interface.
func (so *socket) control(src netip.Addr, a *Ancillary) dgram.Control {
	c := dgram.Control{Src: src}
	if so.typ == SOCK_STREAM { // which ignores them
		return c
	}
	foreign := src.Is6() && !src.IsUnspecified() && !so.ip().FreeBind && !so.stack.ip.IsLocal(src)
	if a != nil || foreign {
		c.Choices = so.choices(a)
	}
	if foreign {
		c.Err = syscall.EINVAL
	}
	return c
}

func (so *socket) choices(a *Ancillary) *dgram.Choices {
	if a == nil {
		return &dgram.Choices{}
	}
	device, err := so.deviceAt(a.Ifindex)
	if err == nil && a.outOfRange(so.ip().Versions) {
		err = syscall.EINVAL
	}
	v6, invalid := so.outgoing6(a)
	header := func(o ip.Outgoing) ip.Outgoing { return a.apply(o, v6) }
	return &dgram.Choices{Device: device, Segment: a.Segment, Header: header, Err: cmp.Or(err, invalid)}
}

// deviceAt returns the interface with a number, and nil for 0. Errors: ENODEV for an unknown number, EINVAL if SO_BINDTODEVICE allows only
// another interface.
func (so *socket) deviceAt(number int) (*ip.Interface, error) {
	i, only := so.stack.ip.InterfaceAt(number), so.ip().Device
	switch {
	case number == 0:
		return nil, nil
	case i == nil:
		return nil, syscall.ENODEV
	case only != nil && i != only:
		return nil, syscall.EINVAL
	}
	return i, nil
}

// outgoing6 are the socket's fields for IPv6 with those of a.
func (so *socket) outgoing6(a *Ancillary) (ip.Outgoing6, error) {
	v6 := so.ipv6().Outgoing6
	if so.value(IPPROTO_IPV6, IPV6_FLOWINFO_SEND) != 0 {
		v6.FlowLabel = a.FlowInfo & ip.MaxFlowLabel
	}
	for _, x := range a.Extensions {
		field := extensionField(&v6, x.Name)
		if field == nil {
			return v6, syscall.EINVAL
		}
		header, err := extensionOf(x.Name, x.Header)
		if err != nil {
			return v6, err
		}
		*field = header
	}
	return v6, nil
}

// outOfRange reports whether a socket of versions v refuses a number: one that does not fit its field, or on a socket of AF_INET a number that
// stands for another.
func (a *Ancillary) outOfRange(v ip.Versions) bool {
	least := func(n int) int {
		if v == ip.V4 {
			return n
		}
		return -1
	}
	bad := func(n *int, least int) bool { return n != nil && (*n < least || *n > math.MaxUint8) }
	return bad(a.HopLimit, least(1)) || bad(a.TClass, least(0))
}

// apply changes the header fields of one datagram; v6 are its fields for IPv6.
func (a *Ancillary) apply(o ip.Outgoing, v6 ip.Outgoing6) ip.Outgoing {
	if a.HopLimit != nil && *a.HopLimit >= 0 {
		o.TTL = uint8(*a.HopLimit)
		v6.NoHops = *a.HopLimit == 0
	}
	if a.TClass != nil {
		o.TOS = uint8(max(*a.TClass, 0))
	}
	if a.DontFrag != nil {
		o.DontFragment, v6.DontFrag = *a.DontFrag, *a.DontFrag
	}
	if o.V6 != nil {
		o.V6 = &v6
	}
	return o
}
