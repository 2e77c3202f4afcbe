package dgram

import (
	"net/netip"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// Control holds the choices of one send that take precedence over those of the socket (IP_PKTINFO, RFC 3542 section 6). The zero value
// chooses nothing. It is small, because calls copy it.
type Control struct {
	Src      netip.Addr // the source address
	*Choices            // nil: none
}

// Choices are the seldom parts of Control.
type Choices struct {
	Device  *ip.Interface                 // the interface to leave by; nil: any
	Segment *uint16                       // UDP_SEGMENT; nil: that of the socket
	Header  func(ip.Outgoing) ip.Outgoing // changes the header fields
	Err     error                         // the choices are invalid: the error of a send that has a destination, as on Linux
}

// header returns the header fields of a datagram along a route.
func (c *Control) header(st *State, r *ip.Route) ip.Outgoing {
	o := st.Headers.For(r)
	if c.Choices != nil {
		return c.Header(o)
	}
	return o
}

// Stays reports whether a datagram with the header fields o does not leave the stack: a multicast with TTL 0 (IP_MULTICAST_TTL). Of a
// unicast TTL 0 is the stack's default.
func Stays(r *ip.Route, o *ip.Outgoing) bool { return o.TTL == 0 && r.Cast() == packet.Multicast }

// Prepare finds the route of a datagram to a peer and its header fields; an invalid to is the connected peer. Errors: EDESTADDRREQ, and
// those of Options.Route.
func (s *Socket) Prepare(st *State, to netip.AddrPort, c *Control) (*ip.Route, ip.Outgoing, error) {
	route, err := s.routeTo(st, to, c)
	if err != nil {
		return nil, ip.Outgoing{}, err
	}
	return route, c.header(st, route), nil
}
