package socket

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/tcp"
)

// listener is the state of a Socket after Listen: it counts the half-open connections, which are in SYN-RECEIVED, and queues
// those that are established for Accept.
type listener struct {
	stack    *Stack
	socket   *Socket
	local    netip.AddrPort // the wildcard or an own address
	versions ip.Versions    // of the socket
	heard    ip.Versions    // of connections to all own addresses

	mu           sync.Mutex // guards the rest, and changes of the Socket's settings; see held for the order of locks
	closed       bool
	backlog      int // of listen(2)
	halfOpen     map[*connection]struct{}
	acceptQueue  []*connection // oldest first
	cookiesUntil time.Duration // while cookies may come back
}

// admission is the decision on a new connection.
type admission uint8

const (
	refused  admission = iota // the listener is closed, or its accept queue full
	crowded                   // too many are half-open: the SYN is answered with a cookie
	admitted                  // it gets a Socket
)

// full reports whether no other connection may become established; one more than the backlog may, as on Linux.
func (l *listener) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.filled()
}

func (l *listener) filled() bool { return len(l.acceptQueue) > l.backlog }

// admit decides on the connection that a wants to open, and returns the settings that it inherits from the listener.
func (l *listener) admit(now time.Duration, a *arrival) (settings, admission) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.filled() {
		return settings{}, refused
	}
	set, room := l.socket.settings, admitted
	set.returnBy(a) // MUST-53
	if !l.stack.halfOpen.room(a.id.RemoteAddr(), l.stack.cfg.MaxHalfOpen) {
		room = crowded
		l.cookiesUntil = now + (cookieLifetime+1)*cookiePeriod
	}
	return set, room
}

// postpones reports whether the final ACK of a handshake has to come again, as on Linux: while the accept queue is full, or with
// TCP_DEFER_ACCEPT while it brings no data.
func (h heldConn) postpones(seg *tcp.Segment) bool {
	switch {
	case h.parent.full():
		h.stack.stats.DropAcceptQueue.Inc()
		return true
	case seg.DataLen() > 0 || seg.Flags.Has(tcp.FIN):
		return false
	}
	return h.tcb.Info().Retransmits < int(h.deferAccept)
}

// adopt makes a Socket for a half-open connection and returns it locked; false when the listener has closed meanwhile or another
// device queue was faster with the same segment.
func (l *listener) adopt(now time.Duration, f flow, set settings, tcb *tcp.Conn) (heldConn, bool) {
	so := l.stack.NewSocket(set.Versions)
	c := so.newConnection(now, f)
	c.tcb, c.parent = tcb, l
	so.settings, so.state = set, c
	so.restrict(&set.SocketOptions)
	h := c.lock(now)
	if !l.stack.conns.insert(c) {
		return heldConn{}, false
	}
	if !l.add(c) {
		h.discard()
		h.commit()
		return heldConn{}, false
	}
	return h, true
}

// discard resets a connection that will not be accepted, because its listener has closed.
func (h heldConn) discard() {
	h.parent, h.closed = nil, true
	h.tcb.Abort(h.now)
}

// add enters a half-open connection; false when the listener has closed.
func (l *listener) add(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	c.port = l.stack.ports.Accept(l.socket.port, c.id.LocalAddr())
	l.halfOpen[c] = struct{}{}
	l.stack.halfOpen.add(c.id.RemoteAddr())
	return true
}

// sentCookies reports whether an ACK may hold a cookie of this listener.
func (l *listener) sentCookies(now time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now < l.cookiesUntil
}

// remove takes out a connection that ended before it was accepted.
func (l *listener) remove(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.removeHalfOpen(c) {
		l.acceptQueue = slices.DeleteFunc(l.acceptQueue, func(q *connection) bool { return q == c })
	}
}

// removeHalfOpen takes a connection out of the half-open ones; false if it was not one of them.
func (l *listener) removeHalfOpen(c *connection) bool {
	if _, ok := l.halfOpen[c]; !ok {
		return false
	}
	delete(l.halfOpen, c)
	l.stack.halfOpen.remove(c.id.RemoteAddr())
	return true
}

// enqueue moves an established connection to the accept queue; false when the listener has closed.
func (l *listener) enqueue(c *connection) bool {
	l.mu.Lock()
	l.removeHalfOpen(c)
	open := !l.closed
	if open {
		l.acceptQueue = append(l.acceptQueue, c)
	}
	l.mu.Unlock()
	if open {
		l.socket.waiters.Notify(poll.In)
	}
	return open
}

// dequeue returns the connection that has waited longest in the accept queue.
func (l *listener) dequeue() (*connection, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.acceptQueue) == 0 {
		return nil, syscall.EAGAIN
	}
	c := l.acceptQueue[0]
	l.acceptQueue[0] = nil
	l.acceptQueue = l.acceptQueue[1:]
	if len(l.acceptQueue) == 0 {
		l.acceptQueue = nil
	}
	return c, nil
}

func (l *listener) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acceptQueue)
}

func (l *listener) setBacklog(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog = n
}

// close ends listening and resets the connections that were not accepted.
func (l *listener) close(now time.Duration) {
	l.stack.listeners.remove(l)
	l.mu.Lock()
	l.closed = true
	conns := slices.Clone(l.acceptQueue)
	for c := range l.halfOpen {
		conns = append(conns, c)
		l.removeHalfOpen(c)
	}
	l.acceptQueue, l.halfOpen = nil, nil
	l.mu.Unlock()
	for _, c := range conns {
		h := c.lock(now)
		h.discard()
		h.commit()
	}
}
