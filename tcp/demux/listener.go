package demux

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// listener is what an Endpoint in LISTEN has besides: connections in the making, and those that wait for Accept.
type listener struct {
	demux    *Demux
	endpoint *Endpoint
	addr     netip.Addr // the wildcard or an own address
	port     uint16

	mu      sync.Mutex // taken after an endpoint's
	closed  bool
	backlog int
	half    map[*Endpoint]struct{} // in SYN-RECEIVED
	queue   []*Endpoint            // established, oldest first

	cookiesUntil time.Duration // while cookies may come back
}

// full says whether another connection may become established; one more than the backlog may, as on Linux.
func (l *listener) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) > l.backlog
}

// input is RFC 9293 section 3.10.7.2. minISS, if not zero, is where an earlier connection of the same tuple ended.
func (l *listener) input(now time.Duration, h *ipv4.Header, s *tcp.Segment, queue uint16, minISS tcp.Seq) {
	d := l.demux
	switch {
	case s.Flags.Has(tcp.RST):
		d.stats.DropListen.Inc()
	case s.Flags.Has(tcp.ACK):
		if s.Flags.Has(tcp.SYN) || !l.begin(now, h, s, queue, minISS) {
			d.stats.DropListen.Inc()
			d.reset(now, tupleOf(h, s), s, queue)
		}
	case !s.Flags.Has(tcp.SYN):
		d.stats.DropListen.Inc()
	default:
		l.begin(now, h, s, queue, minISS)
	}
}

// begin makes a connection: a half-open one of a SYN, or an established one of the cookie in an ACK. It returns false
// when there is nothing to make one of.
func (l *listener) begin(now time.Duration, h *ipv4.Header, s *tcp.Segment, queue uint16, minISS tcp.Seq) bool {
	d := l.demux
	if s.Flags.Has(tcp.ACK) && !l.sentCookies(now) {
		return false
	}
	id := tupleOf(h, s)
	route, err := d.ip.Route(id.remoteAddr(), id.localAddr())
	if err != nil {
		d.stats.DropAddress.Inc()
		return true
	}
	e := d.NewEndpoint()
	e.id, e.route, e.queue, e.parent = id, route, queue, l
	e.mu.Lock()
	defer e.unlock(now)
	where := l.admit(now, e)
	if len(h.Options) > 0 && e.header.Options == nil {
		e.header.Options = h.ReverseRoute(nil) // RFC 9293 section 3.9.2.1, MUST-53
	}
	switch {
	case where == refused:
		d.stats.DropBacklog.Inc()
		return true
	case where == crowded && s.Flags.Has(tcp.SYN):
		l.sendCookie(now, e, s)
		e.abandon()
		return true
	case !d.conns.insert(id, e): // another queue was faster with the same segment
		e.abandon()
		return true
	case s.Flags.Has(tcp.ACK):
		if l.redeem(now, e, s) {
			return true
		}
		d.conns.remove(id, e)
		e.abandon()
		return false
	}
	l.open(now, e, s, minISS)
	return true
}

// abandon ends an endpoint that became nothing.
func (e *Endpoint) abandon() {
	e.parent.lost(e)
	e.parent, e.closed = nil, true
	e.releasePort()
}

// open makes a half-open connection of a SYN.
func (l *listener) open(now time.Duration, e *Endpoint, syn *tcp.Segment, minISS tcp.Seq) {
	d := l.demux
	setup := d.setup(now, e)
	if minISS != 0 && setup.ISS.Less(minISS) {
		setup.ISS = minISS
	}
	e.conn = tcp.Accept(now, &d.cfg.Config, e.params, setup, syn)
}

// admission is what becomes of a new connection.
type admission uint8

const (
	refused admission = iota // the listener is closed, or its accept queue full
	crowded                  // too many are half-open: no more are remembered
	admitted
)

// admit enters a new half-open connection, which takes the listener's settings.
func (l *listener) admit(now time.Duration, e *Endpoint) admission {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.queue) > l.backlog {
		return refused
	}
	from := l.endpoint
	e.params, e.header, e.linger, e.reuse = from.params, from.header, from.linger, from.reuse
	e.port = l.demux.ports.Accept(from.port, e.id.localAddr())
	if len(l.half) >= l.demux.cfg.MaxHalfOpen {
		l.cookiesUntil = now + (cookieLifetime+1)*cookiePeriod
		return crowded
	}
	l.half[e] = struct{}{}
	return admitted
}

// sentCookies says whether an ACK may hold a cookie of this listener.
func (l *listener) sentCookies(now time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now < l.cookiesUntil
}

// lost forgets a connection that ended before it was accepted.
func (l *listener) lost(e *Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.half, e)
	l.queue = slices.DeleteFunc(l.queue, func(q *Endpoint) bool { return q == e })
}

// ready queues an established connection for Accept; false when the listener has closed.
func (l *listener) ready(e *Endpoint) bool {
	l.mu.Lock()
	delete(l.half, e)
	open := !l.closed
	if open {
		l.queue = append(l.queue, e)
	}
	l.mu.Unlock()
	if open {
		l.endpoint.waiters.Notify(poll.In)
	}
	return open
}

// take returns the connection that has waited longest.
func (l *listener) take() (*Endpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, syscall.EAGAIN
	}
	e := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return e, nil
}

func (l *listener) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// close ends listening and resets what was not accepted.
func (l *listener) close(now time.Duration) {
	l.demux.listeners.remove(l)
	l.mu.Lock()
	l.closed = true
	orphans := append([]*Endpoint(nil), l.queue...)
	for e := range l.half {
		orphans = append(orphans, e)
	}
	l.queue, l.half = nil, nil
	l.mu.Unlock()
	for _, e := range orphans {
		e.mu.Lock()
		e.closed, e.parent = true, nil
		if e.conn != nil {
			e.conn.Abort(now)
		}
		e.unlock(now)
	}
}

// listeners finds who listens on a port.
type listeners struct {
	mu    sync.RWMutex
	ports map[uint16][]*listener
}

func (t *listeners) add(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports == nil {
		t.ports = make(map[uint16][]*listener)
	}
	t.ports[l.port] = append(t.ports[l.port], l)
}

func (t *listeners) remove(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(t.ports[l.port]), func(o *listener) bool { return o == l })
	if t.ports[l.port] = rest; len(rest) == 0 {
		delete(t.ports, l.port)
	}
}

// find prefers a listener at the very address over one at the wildcard. Several that share the port (SO_REUSEPORT)
// divide the connections by their remote ends.
func (t *listeners) find(id tuple) *listener {
	t.mu.RLock()
	defer t.mu.RUnlock()
	best, candidates := 0, 0
	rank := func(l *listener) int {
		switch l.addr {
		case id.localAddr():
			return 2
		case netip.IPv4Unspecified():
			return 1
		}
		return 0
	}
	all := t.ports[id.localPort]
	for _, l := range all {
		switch r := rank(l); {
		case r > best:
			best, candidates = r, 1
		case r == best && r > 0:
			candidates++
		}
	}
	if candidates == 0 {
		return nil
	}
	pick := int(uint32(id.remotePort)*2654435761>>16+uint32(id.remote[3])) % candidates
	for _, l := range all {
		if rank(l) == best {
			if pick == 0 {
				return l
			}
			pick--
		}
	}
	return nil
}

func (t *listeners) status() []Status {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var rows []Status
	for _, ls := range t.ports {
		for _, l := range ls {
			l.mu.Lock()
			rows = append(rows, Status{State: "LISTEN", RecvQ: len(l.queue), SendQ: l.backlog,
				Local: netip.AddrPortFrom(l.addr, l.port), Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)})
			l.mu.Unlock()
		}
	}
	return rows
}

// setup is what the machine needs to know of the surroundings of e.
func (d *Demux) setup(now time.Duration, e *Endpoint) tcp.Setup {
	f, tsOffset := d.secret.derive(e.id)
	s := tcp.Setup{ISS: isn(now, f), TSOffset: tsOffset, MTU: e.route.MTU(), LinkMTU: e.route.MTU(), IPOptions: (len(e.header.Options) + 3) &^ 3}
	if i := e.route.Interface(); i != nil {
		s.LinkMTU = i.MTU()
	}
	if tso := e.route.Features().TSO; tso > 0 {
		s.MaxPayload = tso - ipv4.HeaderLen - tcp.MaxHeaderLen
	}
	return s
}
