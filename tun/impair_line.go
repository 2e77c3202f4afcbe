package tun

import (
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"tunstack/internal/timer"
)

// maxTransit bounds the packets that one direction of an Impaired holds, in bytes.
const maxTransit = 64 << 20

// line is one direction of a bad wire, shared by all queues.
type line struct {
	path   Path
	kind   Kind
	clock  Clock
	timers *Timers
	stats  PathStats

	mu      sync.Mutex
	rng     *rand.Rand
	bad     bool          // the bad state of Path.Burst
	free    time.Duration // when the bottleneck has sent all waiting packets
	last    time.Duration // when the last packet arrives that was not reordered
	bytes   int           // of pending
	pending map[*transit]struct{}
	idle    []*transit // for reuse
	closed  bool
}

// end is the far end of a line.
type end interface {
	// arrive takes p over. On an error p is lost.
	arrive(p *Packet) error
}

// entry is the near end of a line, a sender whose packets arrive at an end.
type entry struct {
	line *line
	to   end
}

// send implements sender.
func (e entry) send(p *Packet) error {
	l := e.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		p.Free()
		return os.ErrClosed
	}
	l.stats.Entered.Inc()
	if l.lost() {
		l.stats.Lost.Inc()
		p.Free()
		return nil
	}
	p = p.Own().Compact()
	p.Offload = Offload{}
	if l.chance(l.path.Duplicate) {
		l.stats.Duplicated.Inc()
		l.carry(p.Clone(), e.to)
	}
	l.carry(p, e.to)
	return nil
}

// chance is true for a share of the calls. It draws no random number for a share of 0, so that a share of 0 leaves the other random
// decisions as they are.
func (l *line) chance(share float64) bool { return share > 0 && l.rng.Float64() < share }

// lost changes the state of the path and decides whether one packet is lost.
func (l *line) lost() bool {
	if l.bad {
		l.bad = !l.chance(l.path.Burst.Leave)
	} else {
		l.bad = l.chance(l.path.Burst.Enter)
	}
	if l.bad {
		return l.chance(l.path.Burst.Loss)
	}
	return l.chance(l.path.Loss)
}

// carry sends one packet over the line. Without a delay it arrives before carry returns.
func (l *line) carry(p *Packet, to end) {
	now := l.clock.Now()
	at, ok := l.arrival(now, p.Len())
	if !ok || l.bytes+p.Len() > maxTransit {
		l.stats.Overflowed.Inc()
		p.Free()
		return
	}
	if l.chance(l.path.Corrupt) {
		l.corrupt(p.Bytes()[min(l.kind.headerLen(), p.Len()):])
	}
	if at <= now {
		l.arrive(p, to)
		return
	}
	t := l.transit()
	t.p, t.to, t.size = p, to, p.Len()
	l.pending[t] = struct{}{}
	l.bytes += t.size
	t.timer.Arm(at)
}

func (l *line) arrive(p *Packet, to end) {
	if to.arrive(p) != nil {
		l.stats.Refused.Inc()
	}
}

// corrupt inverts one bit, which the Internet checksum always detects.
func (l *line) corrupt(b []byte) {
	if len(b) > 0 {
		l.stats.Corrupted.Inc()
		bit := l.rng.IntN(8 * len(b))
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// arrival returns when a packet of n bytes that enters now arrives; false if too many wait for the bottleneck.
func (l *line) arrival(now time.Duration, n int) (at time.Duration, ok bool) {
	at = now
	if l.path.Rate > 0 {
		done := max(l.free, now) + l.transmission(n)
		if done-now > l.transmission(l.path.Limit) {
			return 0, false
		}
		l.free, at = done, done
	}
	if l.chance(l.path.Reorder) {
		l.stats.Reordered.Inc()
		return at, true
	}
	at += l.path.Delay
	if l.path.Jitter > 0 {
		at += time.Duration(l.rng.Int64N(int64(l.path.Jitter) + 1))
	}
	if len(l.pending) > 0 { // timers that expire together have no order
		at = max(at, l.last+1)
	}
	l.last = at
	return at, true
}

// transmission is the time that the bottleneck takes for n bytes.
func (l *line) transmission(n int) time.Duration {
	return time.Duration(float64(n) * 8 * float64(time.Second) / float64(l.path.Rate))
}

// transit is a delayed packet.
type transit struct {
	line  *line
	timer timer.Timer
	p     *Packet // nil once it arrives
	to    end
	size  int
}

func (l *line) transit() *transit {
	if n := len(l.idle); n > 0 {
		t := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return t
	}
	t := &transit{line: l}
	t.timer.Init(l.timers, t)
	return t
}

// Expire delivers the packet when its timer expires. The packet stays pending until it has arrived, so that no other overtakes it.
func (t *transit) Expire(time.Duration) {
	l := t.line
	l.mu.Lock()
	p := t.p
	t.p = nil
	l.mu.Unlock()
	if p == nil { // the device was closed in between
		return
	}
	l.arrive(p, t.to)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, t)
	l.bytes -= t.size
	l.idle = append(l.idle, t)
}

// close frees all delayed packets.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for t := range l.pending {
		if t.p != nil {
			t.timer.Stop()
			t.p.Free()
			t.p = nil
		}
	}
	clear(l.pending)
	l.bytes, l.idle = 0, nil
}
