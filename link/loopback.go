package link

import (
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/timer"
	"tunstack/tun"
)

const (
	maxDatagram = 65535 // bytes, RFC 791 section 3.1

	loopbackQueue  = 1024 // packets that may wait
	loopbackBudget = 256  // packets that one call of Output handles before it leaves the others to the timers
)

// Loopback is a link back to the stack itself (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3).
//
// Output queues the packet and, unless another call handles the queue already, handles it until it is empty. Therefore a packet
// sent while another one is handled waits for its turn: the call stack does not grow, and packets keep their order. A sender may
// hold locks, provided that Handler.Input does not wait for them. After loopbackBudget packets a call returns, and leaves the others to
// the next sender or the timers, whichever comes first.
type Loopback struct {
	base
	timer timer.Timer

	mu      sync.Mutex
	busy    bool // a call handles the queue
	ring    [loopbackQueue]waiting
	head, n int
}

// waiting is a queued packet and the time at which it was sent.
type waiting struct {
	sent time.Duration
	p    *Packet
}

// NewLoopback returns a loopback link whose deadlines are kept in timers.
func NewLoopback(timers *Timers) *Loopback {
	l := &Loopback{}
	l.timer.Init(timers, timer.Func(l.drain))
	return l
}

// Output returns p to the layer above, with its Offload and Cast unchanged: an incomplete checksum is accepted, because no wire
// can have damaged the packet. It takes p over and never fails.
func (l *Loopback) Output(now time.Duration, p *Packet, _ netip.Addr) error {
	p = p.Own()
	if !l.push(waiting{now, p}) {
		drop(p, &l.stats.DropQueueFull)
		return nil
	}
	l.drain(now)
	return nil
}

// MTU returns the length of the largest datagram.
func (l *Loopback) MTU() int { return maxDatagram }

// Features lets senders leave checksums incomplete and segments whole.
func (l *Loopback) Features() tun.Features {
	return tun.Features{Checksum: true, TSO: maxDatagram}
}

func (l *Loopback) push(w waiting) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == len(l.ring) {
		return false
	}
	l.ring[(l.head+l.n)%len(l.ring)] = w
	l.n++
	l.stats.OutPackets.Inc()
	l.stats.OutBytes.Add(uint64(w.p.Len()))
	return true
}

// pop is called with the lock held.
func (l *Loopback) pop() waiting {
	w := l.ring[l.head]
	l.ring[l.head].p = nil
	l.head = (l.head + 1) % len(l.ring)
	l.n--
	return w
}

// drain handles the queue unless another call does. The handler gets the sender's time if that is later.
func (l *Loopback) drain(now time.Duration) {
	l.mu.Lock()
	if l.busy {
		l.mu.Unlock()
		return
	}
	l.busy = true
	for budget := loopbackBudget; l.n > 0 && budget > 0; budget-- {
		w := l.pop()
		now = max(now, w.sent)
		l.mu.Unlock()
		l.count(w.p)
		l.handler.Input(now, w.p)
		l.mu.Lock()
	}
	l.busy = false
	left := l.n
	l.mu.Unlock()
	if left > 0 {
		l.timer.Arm(now)
	}
}
