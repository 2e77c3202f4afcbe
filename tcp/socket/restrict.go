package socket

import "tunstack/ip"

// restrictions limit the interfaces and the distance that segments of a socket may come from, and their route out. A nil pointer is no
// limit.
type restrictions struct {
	via         ip.Via // SO_BINDTODEVICE, SO_DONTROUTE
	minTTL      uint8  // IP_MINTTL
	minHopCount uint8  // IPV6_MINHOPCOUNT
}

// restrict publishes the limits in o, for dispatch, which does not lock the Socket.
func (so *Socket) restrict(o *ip.SocketOptions) {
	r := restrictions{o.Via(), o.MinTTL, o.IPv6().MinHopCount}
	if r == (restrictions{}) {
		so.restricted.Store(nil)
		return
	}
	so.restricted.Store(&r)
}

// receivesFrom reports whether the socket receives from an interface.
func (so *Socket) receivesFrom(in *ip.Interface) bool {
	r := so.restricted.Load()
	return r == nil || r.via.Device == nil || r.via.Device == in
}

// belowMinTTL reports whether the segment has come further than IP_MINTTL or IPV6_MINHOPCOUNT allows (RFC 5082 section 3).
func (so *Socket) belowMinTTL(a *arrival) bool {
	r := so.restricted.Load()
	switch {
	case r == nil:
		return false
	case a.id.Version() == ip.V6:
		return a.ttl < r.minHopCount
	}
	return a.ttl < r.minTTL
}

// via is the way that the segments of the socket's connections may take.
func (so *Socket) via() ip.Via {
	if r := so.restricted.Load(); r != nil {
		return r.via
	}
	return ip.Via{}
}
