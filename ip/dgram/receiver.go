// Package dgram is the common part of UDP and raw sockets: the addresses and options of a socket, its bounded receive queue, error
// queue, multicast groups and the gathering of datagrams (MSG_MORE).
package dgram

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/ip/errqueue"
)

// DefaultLimit is the bound of a receive queue without SetLimit, in bytes with overhead.
const DefaultLimit = 208 << 10

// Datagram describes a received datagram.
type Datagram struct {
	From, To  netip.AddrPort // To.Addr is the specific destination (IP_PKTINFO); raw sockets have port 0
	Interface string
	TOS, TTL  uint8
	FlowLabel uint32        // of IPv6
	IPOptions []byte        // as ip.Datagram.Options
	At        time.Duration // when it arrived, in the stack's time
	Size      int           // of the whole payload; larger than the copied count when it was cut (MSG_TRUNC)
}

// Receiver is the receiving half of a datagram socket. The zero value is ready for use; it is safe for concurrent use.
type Receiver struct {
	waiters poll.WaitList
	pathMTU atomic.Pointer[PathMTU]

	mu        sync.Mutex
	ring      []entry // a power of two long
	head, n   int
	used      int // bytes of memory that the entries hold
	limit     int // 0: DefaultLimit
	peekOff   peekOffset
	err       syscall.Errno  // pending
	errors    errqueue.Queue // IP_RECVERR
	readShut  bool
	writeShut bool
	closed    bool
}

// entry is a queued Buffer. A super-packet is several datagrams of unit bytes each, of which the last may be shorter.
type entry struct {
	Datagram
	p    *packet.Buffer
	unit int // 0: one datagram
	cost int
}

// Push takes ownership of p, which holds the payload, and queues it. With unit above 0 the payload is several datagrams of unit bytes
// each. It returns false when it dropped them because the queue is full or the socket is closed.
func (q *Receiver) Push(d Datagram, p *packet.Buffer, unit int) bool {
	p = p.Compact()
	e := entry{Datagram: d, p: p, unit: unit, cost: packet.Headroom + p.Len() + p.Tailroom()}
	if !q.enqueue(&e) {
		p.Free()
		return false
	}
	q.waiters.Notify(poll.In)
	return true
}

// enqueue takes at least one entry, however large, so that a small limit does not shut out large datagrams.
func (q *Receiver) enqueue(e *entry) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	limit := q.limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if q.closed || q.n > 0 && q.used+e.cost > limit {
		return false
	}
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = *e
	q.n++
	q.used += e.cost
	return true
}

func (q *Receiver) grow() {
	ring := make([]entry, max(4, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

// Recv copies the first queued datagram to b and, unless peek is set, removes it. Errors: the pending error, once; EAGAIN when
// the queue is empty; EBADF after Close. After Shutdown of reading an empty Receiver returns 0 bytes.
func (q *Receiver) Recv(b []byte, peek bool) (n int, d Datagram, err error) {
	q.mu.Lock()
	if err = q.receivable(); err != nil || q.n == 0 {
		q.mu.Unlock()
		return 0, Datagram{}, err
	}
	if peek && q.peekOff.on {
		defer q.mu.Unlock()
		return q.peekAt(b)
	}
	e := &q.ring[q.head]
	d = e.Datagram
	d.Size = e.size()
	if !peek {
		q.peekOff.read(d.Size)
	}
	if peek || d.Size < e.p.Len() {
		n = copy(b, e.p.Bytes()[:d.Size])
		if !peek {
			e.p.TrimFront(d.Size)
		}
		q.mu.Unlock()
		return n, d, nil
	}
	p := q.pop()
	q.mu.Unlock()
	n = copy(b, p.Bytes())
	p.Free()
	return n, d, nil
}

func (q *Receiver) receivable() error {
	switch {
	case q.closed:
		return syscall.EBADF
	case q.err != 0:
		return q.takeError()
	case q.n == 0 && !q.readShut:
		return syscall.EAGAIN
	}
	return nil
}

// size is the size of the entry's first datagram.
func (e *entry) size() int {
	if e.unit == 0 {
		return e.p.Len()
	}
	return min(e.unit, e.p.Len())
}

func (q *Receiver) pop() *packet.Buffer {
	e := &q.ring[q.head]
	p := e.p
	q.used -= e.cost
	*e = entry{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return p
}

// Sendable returns nil if a send may proceed. Errors: the pending error, once; EPIPE after Shutdown of writing, EBADF after Close.
func (q *Receiver) Sendable() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return syscall.EBADF
	case q.err != 0:
		return q.takeError()
	case q.writeShut:
		return syscall.EPIPE
	}
	return nil
}

// Shutdown ends receiving once the queue is empty, sending, or both.
func (q *Receiver) Shutdown(read, write bool) {
	q.mu.Lock()
	q.readShut = q.readShut || read
	q.writeShut = q.writeShut || write
	q.mu.Unlock()
	q.waiters.Notify(poll.In | poll.Out | poll.RdHup | poll.Hup)
}

// Close frees the queued datagrams and makes all later calls fail. It returns EBADF the second time.
func (q *Receiver) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return syscall.EBADF
	}
	for q.n > 0 {
		q.pop().Free()
	}
	q.ring = nil
	q.errors.Purge()
	q.closed, q.readShut, q.writeShut = true, true, true
	q.mu.Unlock()
	q.waiters.Notify(poll.In | poll.Out | poll.RdHup | poll.Hup)
	return nil
}

// Ready is the set of events that the socket shows now. A send never waits.
func (q *Receiver) Ready() poll.Mask {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := poll.Out
	if q.n > 0 {
		m |= poll.In
	}
	if q.readShut {
		m |= poll.In | poll.RdHup
	}
	if q.readShut && q.writeShut {
		m |= poll.Hup
	}
	if q.err != 0 || q.errors.Len() > 0 {
		m |= poll.Err
	}
	return m
}

// Waiters is the list of waiters that are woken when Ready gains an event.
func (q *Receiver) Waiters() *poll.WaitList { return &q.waiters }

// SetLimit sets the bound of the queue in bytes, with overhead; 0: DefaultLimit.
func (q *Receiver) SetLimit(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = n
}

// Buffered is the size of the first queued datagram (FIONREAD).
func (q *Receiver) Buffered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return 0
	}
	return q.ring[q.head].size()
}

// Used is the number of queued bytes, with overhead.
func (q *Receiver) Used() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}
