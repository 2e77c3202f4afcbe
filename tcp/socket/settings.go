package socket

import (
	"time"

	"tunstack/internal/ports"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// settings are what the user of a socket chooses, and what a listener's connections take over from it.
type settings struct {
	params    tcp.Params
	tos, ttl  uint8
	ipOptions []byte // never changed in place: a listener's connections share it
	routed    bool   // the user chose ipOptions, so that the peer's source route does not
	recvErr   bool   // the user wants to learn of soft errors at once
	reuse     ports.Flags
	linger    linger
}

// linger is SO_LINGER.
type linger struct {
	on bool
	d  time.Duration
}

// mtu is what is left of the route's path MTU for segments without IP options; 0 when the way is lost.
func (set *settings) mtu(route *ipv4.Route) int {
	return max(route.MTU()-(len(set.ipOptions)+3)&^3, 0)
}

// follow makes a flow go back the way the peer's segment came, if that was by a source route (RFC 9293 section 3.9.2.1).
func (set *settings) follow(a *arrival) {
	if back := a.routeBack(); back != nil && !set.routed {
		set.ipOptions = back
	}
}

// set changes settings under the endpoint's lock; a listener's new connections see the change whole.
func (e *Endpoint) set(change func(*settings)) {
	if e.listener != nil {
		e.listener.mu.Lock()
		defer e.listener.mu.Unlock()
	}
	change(&e.settings)
}

// SetReuse sets SO_REUSEADDR and SO_REUSEPORT; it has an effect on a later Bind.
func (e *Endpoint) SetReuse(addr, port bool) {
	defer e.release(e.lock())
	var f ports.Flags
	if addr {
		f |= ports.ReuseAddr
	}
	if port {
		f |= ports.ReusePort
	}
	e.set(func(s *settings) { s.reuse = f })
}

// SetLinger sets SO_LINGER; only the combination on and zero changes what Close does.
func (e *Endpoint) SetLinger(on bool, d time.Duration) {
	defer e.release(e.lock())
	e.set(func(s *settings) { s.linger = linger{on, d} })
}

// Linger is what SetLinger set.
func (e *Endpoint) Linger() (bool, time.Duration) {
	defer e.release(e.lock())
	return e.linger.on, e.linger.d
}

// Params returns the settings of the connection, defaults filled in.
func (e *Endpoint) Params() tcp.Params {
	defer e.release(e.lock())
	return e.params.Effective(&e.demux.cfg.Config)
}

// SetParams changes the settings; connections that a listener accepts from then on inherit its own.
func (e *Endpoint) SetParams(change func(*tcp.Params)) {
	now := e.lock()
	defer e.release(now)
	e.set(func(s *settings) { change(&s.params) })
	if e.conn != nil {
		e.conn.SetParams(now, e.params)
	}
}

// SetIP sets the IP_TOS and IP_TTL of the segments; TTL 0 is the stack's default.
func (e *Endpoint) SetIP(tos, ttl uint8) {
	defer e.release(e.lock())
	e.set(func(s *settings) { s.tos, s.ttl = tos&^ecnMask, ttl }) // the ECN field is TCP's own
}

// IP is what SetIP set.
func (e *Endpoint) IP() (tos, ttl uint8) {
	defer e.release(e.lock())
	return e.tos, e.ttl
}

// SetRecvErr sets IP_RECVERR: soft errors become pending errors at once, though the connection lives on, and so does
// ETIMEDOUT when data has gone unacknowledged for long, R1 (RFC 9293 sections 3.8.3 and 3.9.1.8). Without it they only tell
// why a connection failed in the end.
func (e *Endpoint) SetRecvErr(on bool) {
	defer e.release(e.lock())
	e.set(func(s *settings) { s.recvErr = on })
}

// RecvErr is what SetRecvErr set.
func (e *Endpoint) RecvErr() bool {
	defer e.release(e.lock())
	return e.recvErr
}

// SetIPOptions sets the IP options of the segments, a source route among them (IP_OPTIONS). It takes precedence over a route
// that the peer's segments came by (RFC 9293 section 3.9.2.1, MUST-52). b is copied.
func (e *Endpoint) SetIPOptions(b []byte) {
	defer e.release(e.lock())
	e.set(func(s *settings) { s.ipOptions, s.routed = append([]byte(nil), b...), len(b) > 0 })
}

// IPOptions is what SetIPOptions set, or the route back to a peer that came by a source route.
func (e *Endpoint) IPOptions() []byte {
	defer e.release(e.lock())
	return append([]byte(nil), e.ipOptions...)
}
