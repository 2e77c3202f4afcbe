package socket

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/ports"
	"tunstack/internal/timer"
	"tunstack/ip/errqueue"
	"tunstack/tcp"
)

// Endpoint is one TCP socket: first idle, then a listener or a connection. No method blocks: what cannot be done
// now is syscall.EAGAIN, and Waiters tells when to try again. All are safe for concurrent use.
//
// The packet path and the timers never wait for mu. They leave word (inbox, again) and try the lock; whoever holds it
// acts on all that was left before it lets go, see unlock. A listener's own lock is taken after mu, a connection's mu after
// that of the listener's endpoint, and nothing at all is waited for while packets travel.
type Endpoint struct {
	demux   *Demux
	waiters poll.Queue
	timer   timer.Timer
	inbox   inbox
	again   atomic.Bool // word was left: the holder of the lock is to look once more
	batched atomic.Bool // a Flush is coming

	restricted atomic.Pointer[restrictions] // SO_BINDTODEVICE, IP_MINTTL; follows the settings

	next *Endpoint // with the same hash in the table of connections; guarded by its stripe

	mu   sync.Mutex
	last time.Duration // the latest time the machine was told
	flow
	settings
	orphan
	conn        *tcp.Conn // nil until Connect
	listener    *listener // nil until Listen
	parent      *listener // of a connection that was not accepted yet
	bound       bool      // by Bind, so that port is the user's
	port        ports.Reservation
	err         syscall.Errno // pending: reported once
	rare        *rare         // nil while there is nothing in it
	soft        syscall.Errno // what the network said: it explains a later timeout
	established bool          // the connection is, or was
	gone        bool          // out of the table
	closed      bool          // by its owner
	readShut    bool
	delayAck    bool // TCP_QUICKACK was switched off, before there was a connection
}

// rare is what few sockets have: it is apart, for the sake of the others' memory.
type rare struct {
	errors   errqueue.Queue
	savedSyn []byte // TCP_SAVED_SYN
}

// uncommon is e.rare, made if need be.
func (e *Endpoint) uncommon() *rare {
	if e.rare == nil {
		e.rare = new(rare)
	}
	return e.rare
}

// NewEndpoint returns an idle socket.
func (d *Demux) NewEndpoint() *Endpoint {
	e := &Endpoint{demux: d}
	e.timer.Init(d.cfg.Timers, e)
	return e
}

// lock takes the endpoint for a call of its user, who then sees all that has come so far, and lets go by unlock with the
// time that lock returns.
func (e *Endpoint) lock() time.Duration {
	e.mu.Lock()
	now := e.last // within a batch time stands still
	if !e.batched.Load() {
		now = e.at(e.demux.now())
	}
	e.drain(now)
	if e.conn != nil {
		e.announce(now, e.conn.Events())
	}
	return now
}

// unlock acts on what has come and on what the holder has changed, and lets go: segments in, segments out, wake-ups,
// timer. Whoever came too late to be seen finds the lock free, or makes the loop go round again.
func (e *Endpoint) unlock(now time.Duration) {
	now = e.at(now)
	for {
		e.again.Store(false)
		e.drain(now)
		e.settle(now)
		e.mu.Unlock()
		if !e.again.Load() || !e.mu.TryLock() {
			return
		}
	}
}

// at is the time to tell the machine: now, unless another goroutine has read the clock later and had the lock before.
func (e *Endpoint) at(now time.Duration) time.Duration {
	e.last = max(e.last, now)
	return e.last
}

// look acts on what has changed: here and now, or through the holder of the lock, who may have let go of all but the lock.
func (e *Endpoint) look(now time.Duration) {
	e.again.Store(true)
	if e.mu.TryLock() {
		e.unlock(now)
	}
}

// Expire is called by the timer.
func (e *Endpoint) Expire(now time.Duration) { e.look(now) }

// Flush answers what came in a batch.
func (e *Endpoint) Flush(now time.Duration) {
	e.batched.Store(false)
	e.look(now)
}

// deliver hands a segment of this connection to it. It takes p over, in which the segment lies. Answers wait for the end
// of the batch; those of a handshake do not, for the accept queue is to be counted.
func (e *Endpoint) deliver(now time.Duration, a *arrival, p *packet.Buffer) {
	if !e.mu.TryLock() {
		if !e.inbox.put(a.headerLen, p) {
			e.demux.stats.DropInbox.Inc()
		}
		e.look(now)
		return
	}
	now = e.at(now)
	e.drain(now)
	batch := p.Batch
	atOnce := batch == nil || e.conn == nil || e.conn.State() == tcp.SynReceived
	e.take(now, a, p)
	if atOnce || e.conn.AckApart() {
		e.unlock(now)
		return
	}
	if !e.batched.Swap(true) {
		batch.Add(e)
	}
	e.announce(now, e.conn.Events()) // the reader's reply may carry the acknowledgment
	e.leave(now)
}

// release lets go after a call that has nothing of its own to send. While a Flush is coming it leaves that to answer: what the
// caller does next may carry the acknowledgment.
func (e *Endpoint) release(now time.Duration) {
	if e.batched.Load() {
		e.leave(now)
	} else {
		e.unlock(now)
	}
}

// leave lets go without an answer, for a Flush is coming, unless word was left.
func (e *Endpoint) leave(now time.Duration) {
	e.mu.Unlock()
	if e.again.Load() && e.mu.TryLock() {
		e.unlock(now)
	}
}

// drain takes in what came while the endpoint was locked.
func (e *Endpoint) drain(now time.Duration) {
	for p := e.inbox.take(); p != nil; {
		next := p.Next
		var a arrival
		d, _ := e.route.Family().Parse(p.Bytes())
		p.TrimFront(d.HeaderLen)
		if a.parse(e.demux.ip, &d, p) == nil {
			e.take(now, &a, p)
		} else {
			p.Free()
		}
		p = next
	}
}

// take hands the machine a segment with the packet that it lies in.
func (e *Endpoint) take(now time.Duration, a *arrival, p *packet.Buffer) {
	a.seg.Buffer = p
	e.input(now, a)
	if a.seg.Buffer != nil {
		p.Free()
	}
}

// input runs the machine on a segment. The final ACK of a handshake may have to wait.
func (e *Endpoint) input(now time.Duration, a *arrival) {
	if e.conn == nil {
		return
	}
	e.queue = a.queue
	s := &a.seg
	if e.parent != nil && e.conn.State() == tcp.SynReceived && s.Flags&(tcp.ACK|tcp.RST) == tcp.ACK && e.postpones(s) {
		return
	}
	if a.route == nil {
		e.conn.Input(now, s)
		return
	}
	// A later source route replaces the earlier (SHLD-24), if the segment proves to be the peer's by getting us on.
	before := progress(e.conn)
	if e.conn.Input(now, s); progress(e.conn) > before {
		e.follow(a)
	}
}

func progress(c *tcp.Conn) uint64 {
	i := c.Info()
	return i.BytesAcked + i.BytesReceived
}
