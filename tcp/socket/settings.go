package socket

import (
	"time"

	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/tcp"
)

// settings are what the user of a socket chooses, and what a listener's connections take over from it.
type settings struct {
	params           tcp.Params
	ip.SocketOptions       // a listener's connections share its IPOptions
	routed           bool  // the user chose IPOptions, so that the peer's source route does not
	deferAccept      uint8 // TCP_DEFER_ACCEPT: SYN,ACKs before a connection without data is accepted
	saveSyn          bool  // TCP_SAVE_SYN
	reuse            ports.Flags
	linger           linger
}

// linger is SO_LINGER.
type linger struct {
	on bool
	d  time.Duration
}

// mtu is what is left of the route's path MTU for segments without IP options; 0 when the way is lost.
func (set *settings) mtu(route *ip.Route) int {
	return max(route.MTU()-(len(set.IPOptions)+3)&^3, 0)
}

// follow makes a flow go back the way the peer's segment came, if that was by a source route (RFC 9293 section 3.9.2.1).
func (set *settings) follow(a *arrival) {
	if a.route != nil && !set.routed {
		set.IPOptions = a.route
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

// Push sends what TCP_CORK and MSG_MORE hold, as setting TCP_NODELAY does.
func (e *Endpoint) Push() {
	defer e.unlock(e.lock())
	if e.conn != nil {
		e.conn.Push()
	}
}

// SetQuickAck is TCP_QUICKACK, see tcp.Conn. A new connection begins with acknowledgments without delay, whatever was set before, as on
// Linux.
func (e *Endpoint) SetQuickAck(on bool) {
	defer e.unlock(e.lock())
	e.delayAck = !on
	if e.conn != nil {
		e.conn.SetQuickAck(on)
	}
}

// QuickAck reports whether acknowledgments go without delay while no reply carries them.
func (e *Endpoint) QuickAck() bool {
	defer e.release(e.lock())
	if e.conn == nil {
		return !e.delayAck
	}
	return e.conn.QuickAck()
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

// SetIP changes the settings at the level of IP. IPOptions that the user sets take precedence over a route that the peer's
// segments came by (RFC 9293 section 3.9.2.1, MUST-52). With RecvErr soft errors become pending errors at once, though the
// connection lives on, and so does ETIMEDOUT when data has gone unacknowledged for long, R1 (RFC 9293 sections 3.8.3 and
// 3.9.1.8); without it they only tell why a connection failed in the end.
func (e *Endpoint) SetIP(change func(*ip.SocketOptions)) {
	defer e.release(e.lock())
	e.set(func(s *settings) {
		before, via := s.IPOptions, s.Via()
		change(&s.SocketOptions)
		s.TOS &^= ecnMask // the ECN field is TCP's own
		if e.restrict(&s.SocketOptions); e.conn != nil && s.Via() != via {
			e.reroute()
		}
		if e.rare != nil && !s.RecvErr {
			e.rare.errors.Purge()
		}
		if !same(before, s.IPOptions) {
			s.routed = len(s.IPOptions) > 0
		}
	})
}

// reroute looks for the way again when the user has restricted it. Without one the old way stays, as in Linux.
func (e *Endpoint) reroute() {
	if route, err := e.demux.ip.RouteVia(e.id.RemoteAddr(), e.id.LocalAddr(), e.Via()); err == nil {
		e.route = route
	}
}

// same says whether a and b are one slice, or both empty.
func same(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// IP returns the settings at the level of IP. Its IPOptions are those that SetIP set, or the route back to a peer that came by
// a source route.
func (e *Endpoint) IP() ip.SocketOptions {
	defer e.release(e.lock())
	return e.SocketOptions.Clone()
}

// SetDeferAccept sets TCP_DEFER_ACCEPT of a listener: a connection without data is accepted only after so many retransmissions
// of its SYN,ACK; 0 accepts it at once.
func (e *Endpoint) SetDeferAccept(retransmissions uint8) {
	defer e.release(e.lock())
	e.set(func(s *settings) { s.deferAccept = retransmissions })
}

// DeferAccept is what SetDeferAccept set.
func (e *Endpoint) DeferAccept() uint8 {
	defer e.release(e.lock())
	return e.deferAccept
}

// SetSaveSyn sets TCP_SAVE_SYN of a listener: its connections keep the headers of their SYN for SavedSyn.
func (e *Endpoint) SetSaveSyn(on bool) {
	defer e.release(e.lock())
	e.set(func(s *settings) { s.saveSyn = on })
}

// SaveSyn is what SetSaveSyn set.
func (e *Endpoint) SaveSyn() bool {
	defer e.release(e.lock())
	return e.saveSyn
}

// SavedSyn returns the IP and TCP headers of the peer's SYN, once; nil if they were not kept.
func (e *Endpoint) SavedSyn() []byte {
	defer e.release(e.lock())
	if e.rare == nil {
		return nil
	}
	syn := e.rare.savedSyn
	e.rare.savedSyn = nil
	return syn
}
