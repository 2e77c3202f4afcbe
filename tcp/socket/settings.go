package socket

import (
	"time"

	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/tcp"
)

// settings are chosen by the user of a socket; connections inherit those of their listener.
type settings struct {
	ip.SocketOptions       // a listener's connections share its IPOptions
	routed           bool  // the user chose IPOptions, so that the peer's source route does not
	deferAccept      uint8 // TCP_DEFER_ACCEPT: SYN,ACKs before a connection without data is accepted
	saveSyn          bool  // TCP_SAVE_SYN
	reuse            ports.Flags
	lingers          bool          // SO_LINGER
	linger           time.Duration // of SO_LINGER
	params           *tcp.Params   // of Stack.share
}

// header are the IP header fields of segments along a route. IPv6 segments are never fragmented: the machine follows the path MTU.
func (set *settings) header(route *ip.Route) ip.Outgoing {
	if route.Dst.Is6() {
		o := set.IPv6().Header(ip.ProtocolTCP)
		o.DontFragment = true
		return o
	}
	return ip.Outgoing{Protocol: ip.ProtocolTCP, DontFragment: set.Discover.DF(), TOS: set.TOS, TTL: set.TTL, Options: set.IPOptions}
}

// mtu is the path MTU of the route less the IP options or extension headers, in bytes; 0 when the way is lost.
func (set *settings) mtu(route *ip.Route) int {
	n := (len(set.IPOptions) + 3) &^ 3
	if route.Dst.Is6() {
		n = set.IPv6().ExtensionsLen()
	}
	return max(route.MTU()-n, 0)
}

// recvErr is IP_RECVERR or IPV6_RECVERR.
func (set *settings) recvErr(v ip.Versions) bool {
	if v == ip.V6 {
		return set.IPv6().RecvErr
	}
	return set.RecvErr
}

// returnBy makes segments take the way back that the peer's segment came, if that was by a source route (RFC 9293 section
// 3.9.2.1) and the user has not chosen another.
func (set *settings) returnBy(a *arrival) {
	if a.route != nil && !set.routed {
		set.IPOptions = a.route
	}
}

// set changes settings; a listener's new connections see all of the change or nothing.
func (h held) set(change func(*settings)) {
	if l, ok := h.state.(*listener); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	change(&h.settings)
}

// SetReuse sets SO_REUSEADDR and SO_REUSEPORT; it has an effect on a later Bind.
func (so *Socket) SetReuse(addr, port bool) {
	h := so.begin()
	defer h.commitLater()
	var f ports.Flags
	if addr {
		f |= ports.ReuseAddr
	}
	if port {
		f |= ports.ReusePort
	}
	h.set(func(s *settings) { s.reuse = f })
}

// SetLinger sets SO_LINGER; only the combination on and zero changes what Close does. Turned off, it keeps its time.
func (so *Socket) SetLinger(on bool, d time.Duration) {
	h := so.begin()
	defer h.commitLater()
	h.set(func(s *settings) {
		if s.lingers = on; on {
			s.linger = d
		}
	})
}

// Linger returns the arguments of SetLinger.
func (so *Socket) Linger() (bool, time.Duration) {
	h := so.begin()
	defer h.commitLater()
	return h.lingers, h.linger
}

// Params returns the settings of the connection, defaults filled in.
func (so *Socket) Params() tcp.Params {
	h := so.begin()
	defer h.commitLater()
	return h.params.Effective(&h.stack.cfg.Config)
}

// Push sends the data that TCP_CORK and MSG_MORE hold back, as setting TCP_NODELAY does.
func (so *Socket) Push() {
	h := so.begin()
	defer h.commit()
	if c, ok := h.connection(); ok {
		c.tcb.Push()
	}
}

// SetQuickAck is TCP_QUICKACK, see tcp.Conn. A new connection begins with acknowledgments without delay, whatever was set before, as on
// Linux.
func (so *Socket) SetQuickAck(on bool) {
	h := so.begin()
	defer h.commit()
	h.delayAck = !on
	if c, ok := h.connection(); ok {
		c.tcb.SetQuickAck(on)
	}
}

// QuickAck reports whether acknowledgments go without delay while no reply carries them.
func (so *Socket) QuickAck() bool {
	h := so.begin()
	defer h.commitLater()
	if c, ok := h.connection(); ok {
		return c.tcb.QuickAck()
	}
	return !h.delayAck
}

// SetParams changes the settings; connections that a listener accepts from then on inherit its own.
func (so *Socket) SetParams(change func(*tcp.Params)) {
	h := so.begin()
	defer h.commitLater()
	next := *h.params
	change(&next)
	h.set(func(s *settings) { s.params = h.stack.share(next) })
	if c, ok := h.connection(); ok {
		c.tcb.SetParams(h.now, h.params)
	}
}

// SetIP changes the settings at the level of IP. IPOptions that the user sets take precedence over a route that the peer's
// segments came by (RFC 9293 section 3.9.2.1, MUST-52). With RecvErr soft errors become pending errors at once, although the
// connection survives, and so does ETIMEDOUT when data has been unacknowledged for long, R1 (RFC 9293 sections 3.8.3 and
// 3.9.1.8); without it they are only the reason why a connection fails later.
func (so *Socket) SetIP(change func(*ip.SocketOptions)) {
	h := so.begin()
	defer h.commitLater()
	h.set(func(s *settings) {
		before, via := s.IPOptions, s.Via()
		change(&s.SocketOptions)
		s.TOS &^= ecnMask // the ECN field is TCP's own
		if s.IPv6().TClass&ecnMask != 0 {
			s.SetIPv6(func(o *ip.Options6) { o.TClass &^= ecnMask })
		}
		h.restrict(&s.SocketOptions)
		if c, ok := h.connection(); ok && s.Via() != via {
			c.reroute()
		}
		if h.rare != nil && !s.RecvErr && !s.IPv6().RecvErr {
			h.rare.errors.Purge()
		}
		if !same(before, s.IPOptions) {
			s.routed = len(s.IPOptions) > 0
		}
	})
}

// reroute looks for the route again when the user has restricted it. If there is none, the old route stays, as in Linux.
func (h heldConn) reroute() {
	if route, err := h.stack.ip.RouteVia(h.id.RemoteAddr(), h.id.LocalAddr(), h.Via()); err == nil {
		h.route = route
	}
}

// same reports whether a and b are one slice, or both empty.
func same(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// IP returns the settings at the level of IP. Its IPOptions are those that SetIP set, or the route back to a peer that came by
// a source route.
func (so *Socket) IP() ip.SocketOptions {
	h := so.begin()
	defer h.commitLater()
	return h.SocketOptions.Clone()
}

// SetDeferAccept sets TCP_DEFER_ACCEPT of a listener: a connection without data is accepted only after so many retransmissions
// of its SYN,ACK; 0 accepts it at once.
func (so *Socket) SetDeferAccept(retransmissions uint8) {
	h := so.begin()
	defer h.commitLater()
	h.set(func(s *settings) { s.deferAccept = retransmissions })
}

// DeferAccept returns the argument of SetDeferAccept.
func (so *Socket) DeferAccept() uint8 {
	h := so.begin()
	defer h.commitLater()
	return h.deferAccept
}

// SetSaveSyn sets TCP_SAVE_SYN of a listener: its connections keep the headers of their SYN for SavedSyn.
func (so *Socket) SetSaveSyn(on bool) {
	h := so.begin()
	defer h.commitLater()
	h.set(func(s *settings) { s.saveSyn = on })
}

// SaveSyn returns the argument of SetSaveSyn.
func (so *Socket) SaveSyn() bool {
	h := so.begin()
	defer h.commitLater()
	return h.saveSyn
}

// SavedSyn returns the IP and TCP headers of the peer's SYN, once; nil if they were not kept.
func (so *Socket) SavedSyn() []byte {
	h := so.begin()
	defer h.commitLater()
	if h.rare == nil {
		return nil
	}
	syn := h.rare.savedSyn
	h.rare.savedSyn = nil
	return syn
}
