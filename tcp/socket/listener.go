package socket

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/tcp"
)

// listener is what an Endpoint in LISTEN has besides: connections in the making, and those that wait for Accept.
type listener struct {
	demux    *Demux
	endpoint *Endpoint
	addr     netip.Addr // the wildcard or an own address
	port     uint16

	mu      sync.Mutex // also for changes of the endpoint's settings; taken after an endpoint's
	closed  bool
	backlog int
	half    map[*Endpoint]struct{} // in SYN-RECEIVED
	queue   []*Endpoint            // established, oldest first

	cookiesUntil time.Duration // while cookies may come back
}

// admission is what becomes of a new connection.
type admission uint8

const (
	refused admission = iota // the listener is closed, or its accept queue full
	crowded                  // too many are half-open: no more are remembered
	admitted
)

// full says whether no other connection may become established; one more than the backlog may, as on Linux.
func (l *listener) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.filled()
}

func (l *listener) filled() bool { return len(l.queue) > l.backlog }

// admit decides on the connection that a wants to open, and returns the settings it takes over from the listener.
func (l *listener) admit(now time.Duration, a *arrival) (settings, admission) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.filled() {
		return settings{}, refused
	}
	set, room := l.endpoint.settings, admitted
	set.follow(a) // MUST-53
	if !l.demux.halfOpen.room(a.id.RemoteAddr(), l.demux.cfg.MaxHalfOpen) {
		room = crowded
		l.cookiesUntil = now + (cookieLifetime+1)*cookiePeriod
	}
	return set, room
}

// postpones says whether the final ACK of a handshake has to come again, as on Linux: while the accept queue is full, or with
// TCP_DEFER_ACCEPT while it brings no data.
func (e *Endpoint) postpones(s *tcp.Segment) bool {
	switch {
	case e.parent.full():
		e.demux.stats.DropBacklog.Inc()
		return true
	case s.DataLen() > 0 || s.Flags.Has(tcp.FIN):
		return false
	}
	return e.conn.Info().Retransmits < int(e.deferAccept)
}

// adopt makes an endpoint for a half-open connection and returns it locked; nil when the listener has closed meanwhile or
// another device queue was faster with the same segment.
func (l *listener) adopt(f flow, set settings, conn *tcp.Conn) *Endpoint {
	d := l.demux
	e := d.NewEndpoint()
	e.flow, e.settings, e.conn, e.parent = f, set, conn, l
	e.restrict(&set.SocketOptions)
	e.mu.Lock()
	if !d.conns.insert(e) {
		return nil
	}
	if !l.add(e) {
		d.conns.remove(e)
		return nil
	}
	return e
}

// add enters a half-open connection.
func (l *listener) add(e *Endpoint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	e.port = l.demux.ports.Accept(l.endpoint.port, e.id.LocalAddr())
	l.half[e] = struct{}{}
	l.demux.halfOpen.add(e.id.RemoteAddr())
	return true
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
	if !l.forget(e) {
		l.queue = slices.DeleteFunc(l.queue, func(q *Endpoint) bool { return q == e })
	}
}

// forget takes a connection that is half-open no longer out of those that are; false if it was none of them.
func (l *listener) forget(e *Endpoint) bool {
	if _, ok := l.half[e]; !ok {
		return false
	}
	delete(l.half, e)
	l.demux.halfOpen.remove(e.id.RemoteAddr())
	return true
}

// ready queues an established connection for Accept; false when the listener has closed.
func (l *listener) ready(e *Endpoint) bool {
	l.mu.Lock()
	l.forget(e)
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

func (l *listener) setBacklog(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog = n
}

// close ends listening and resets what was not accepted.
func (l *listener) close(now time.Duration) {
	l.demux.listeners.remove(l)
	l.mu.Lock()
	l.closed = true
	orphans := append([]*Endpoint(nil), l.queue...)
	for e := range l.half {
		orphans = append(orphans, e)
		l.forget(e)
	}
	l.queue, l.half = nil, nil
	l.mu.Unlock()
	for _, e := range orphans {
		e.mu.Lock()
		e.closed, e.parent = true, nil
		e.conn.Abort(now)
		e.unlock(now)
	}
}
