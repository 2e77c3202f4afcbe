package socketapi

import (
	"slices"
	"syscall"

	"tunstack/ip"
	"tunstack/ipv6"
)

// extensionField is the field of the extension header that an option or a control message sets; nil for another name.
func extensionField(o *ip.Outgoing6, name int) *[]byte {
	switch name {
	case IPV6_HOPOPTS:
		return &o.HopByHop
	case IPV6_RTHDRDSTOPTS:
		return &o.RoutingDstOpts
	case IPV6_RTHDR:
		return &o.Routing
	case IPV6_DSTOPTS:
		return &o.DestinationOpts
	}
	return nil
}

// extensionHeader is an option that holds an extension header for all packets (RFC 3542 section 9); an empty value removes it.
func extensionHeader(name int) option {
	return option{
		get: func(so *socket) (any, error) {
			o := so.ipv6().Outgoing6
			return slices.Clone(*extensionField(&o, name)), nil
		},
		set: func(so *socket, v optvalue) error {
			header, err := extensionOf(name, v)
			if err == nil {
				so.setIPv6(func(o *ip.Options6) { *extensionField(&o.Outgoing6, name) = header })
			}
			return err
		},
	}
}

// maxExtension is the largest extension header that a socket may send, in bytes, as on Linux.
const maxExtension = 8 * 255

// extensionOf returns a copy of the extension header of a name, and checks that its length is the one in its second byte. As on a Linux
// kernel without mobile IPv6 and segment routing, no type of Routing header is known.
func extensionOf(name int, b []byte) ([]byte, error) {
	switch {
	case len(b) == 0:
		return nil, nil
	case len(b) > maxExtension || len(b)%8 != 0 || (int(b[1])+1)*8 != len(b) || name == IPV6_RTHDR:
		return nil, syscall.EINVAL
	}
	return slices.Clone(b), nil
}

// Extension is an IPv6 extension header in a Message.
type Extension struct {
	Name   int    // IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_RTHDR or IPV6_DSTOPTS
	Header []byte // from its Next Header field on; a multiple of 8 bytes
}

// received returns those extension headers of a received datagram that the socket's options request. options has the form of
// ip.Datagram.Options, and the headers in it are whole.
func (so *socket) received(options []byte) (list []Extension) {
	next, b := options[0], options[1:]
	for len(b) >= 8 {
		n := (int(b[1]) + 1) * 8
		if next == ipv6.NextFragment {
			n = 8
		}
		name, wanted := 0, 0
		switch next {
		case ipv6.NextHopByHop:
			name, wanted = IPV6_HOPOPTS, IPV6_RECVHOPOPTS
		case ipv6.NextRouting:
			name, wanted = IPV6_RTHDR, IPV6_RECVRTHDR
		case ipv6.NextDestination:
			name, wanted = IPV6_DSTOPTS, IPV6_RECVDSTOPTS
		}
		if name != 0 && so.value(IPPROTO_IPV6, wanted) != 0 {
			list = append(list, Extension{name, b[:n]})
		}
		next, b = b[0], b[n:]
	}
	return list
}
