package socket

import "tunstack/ip"

// restrictions are what a socket demands of the way that segments come and go. A nil pointer demands nothing.
type restrictions struct {
	via    ip.Via // SO_BINDTODEVICE, SO_DONTROUTE
	minTTL uint8  // IP_MINTTL
}

// restrict publishes what o demands, for dispatch, which does not lock the endpoint.
func (e *Endpoint) restrict(o *ip.SocketOptions) {
	if o.Via() == (ip.Via{}) && o.MinTTL == 0 {
		e.restricted.Store(nil)
		return
	}
	e.restricted.Store(&restrictions{o.Via(), o.MinTTL})
}

// hears says whether the socket receives from an interface.
func (e *Endpoint) hears(in *ip.Interface) bool {
	r := e.restricted.Load()
	return r == nil || r.via.Device == nil || r.via.Device == in
}

// tooFar says whether the segment has come further than IP_MINTTL allows (RFC 5082 section 3).
func (e *Endpoint) tooFar(a *arrival) bool {
	r := e.restricted.Load()
	return r != nil && a.ttl < r.minTTL
}

// via is the way that the segments of the socket's connections may take.
func (e *Endpoint) via() ip.Via {
	if r := e.restricted.Load(); r != nil {
		return r.via
	}
	return ip.Via{}
}
