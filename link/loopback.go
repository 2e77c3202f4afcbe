package link

import (
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
)

const (
	maxDatagram = 65535 // octets, RFC 791 section 3.1

	loopbackQueue  = 1024 // packets that may wait
	loopbackBudget = 256  // packets that one call of Output handles before it leaves the rest to the timers
)

// Loopback is the network 127/8: what is sent comes straight back (RFC 1122 section 3.2.1.3).
//
// Output queues the packet, and unless somebody is at it already, handles the queue until it is empty. So a packet
// sent in the course of handling another never nests: the stack stays flat, and packets keep their order. A sender may
// hold locks as long as the way up does not wait for them. One that runs into the traffic of many others
// stops after a number of packets and leaves the rest to the next sender or the timers, whichever is first.
type Loopback struct {
	base
	timer timer.Timer

	mu      sync.Mutex
	busy    bool // somebody handles the queue
	ring    [loopbackQueue]waiting
	head, n int
}

// waiting is a packet on the loopback and the time it was sent.
type waiting struct {
	sent time.Duration
	p    *packet.Buffer
}

// NewLoopback returns a loopback of its own.
func NewLoopback(timers *timer.Queue) *Loopback {
	l := &Loopback{}
	l.timer.Init(timers, timer.Func(l.drain))
	return l
}

// Output sends p back to the layer above, with its Offload and Cast as they are: a checksum left undone is right,
// as nothing can have damaged the packet. It takes p over and never fails.
func (l *Loopback) Output(now time.Duration, p *packet.Buffer, _ netip.Addr) error {
	p = p.Own()
	if !l.push(waiting{now, p}) {
		drop(p, &l.stats.DropQueueFull)
		return nil
	}
	l.drain(now)
	return nil
}

// MTU is the largest IPv4 datagram.
func (l *Loopback) MTU() int { return maxDatagram }

// Features leaves all checksums undone and all segments whole.
func (l *Loopback) Features() packet.Features {
	return packet.Features{Checksum: true, TSO: maxDatagram}
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
	l.stats.OutOctets.Add(uint64(w.p.Len()))
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

// drain handles what waits unless somebody does already. The time handed up is that of the sender, if it is later.
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
		l.up(now, w.p)
		l.mu.Lock()
	}
	l.busy = false
	left := l.n
	l.mu.Unlock()
	if left > 0 {
		l.timer.Arm(now)
	}
}
