package socket

import "tunstack/ip"

// restrictions are what a socket demands of the way that a segment came. A nil pointer demands nothing.
type restrictions struct {
	device *ip.Interface // SO_BINDTODEVICE; nil: any
	minTTL uint8         // IP_MINTTL
}

// restrict publishes what o demands, for dispatch, which does not lock the endpoint.
func (e *Endpoint) restrict(o *ip.SocketOptions) {
	if o.Device == nil && o.MinTTL == 0 {
		e.restricted.Store(nil)
		return
	}
	e.restricted.Store(&restrictions{o.Device, o.MinTTL})
}

// hears says whether the socket receives from an interface.
func (e *Endpoint) hears(in *ip.Interface) bool {
	r := e.restricted.Load()
	return r == nil || r.device == nil || r.device == in
}

// tooFar says whether the segment has come further than IP_MINTTL allows (RFC 5082 section 3).
func (e *Endpoint) tooFar(a *arrival) bool {
	r := e.restricted.Load()
	return r != nil && a.ttl < r.minTTL
}
