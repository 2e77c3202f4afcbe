package tun

import (
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
)

// maxTransit bounds what one direction of an Impaired holds, in octets.
const maxTransit = 64 << 20

// line is one direction of a bad wire, common to all queues.
type line struct {
	path   Path
	kind   Kind
	clock  clock.Clock
	timers *timer.Queue
	stats  PathStats

	mu      sync.Mutex
	rng     *rand.Rand
	bad     bool          // the state of Path.Burst
	free    time.Duration // when the bottleneck has passed on all that waits
	last    time.Duration // when the last packet in order arrives
	octets  int           // of pending
	pending map[*transit]struct{}
	idle    []*transit // for reuse
	closed  bool
}

// end is where a packet arrives.
type end interface {
	// arrive takes p over. An error says that it is lost.
	arrive(p *packet.Buffer) error
}

// entry is a line as a sender: packets enter there to arrive at an end.
type entry struct {
	line *line
	to   end
}

// send implements sender.
func (e entry) send(p *packet.Buffer) error {
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
	p.Offload = packet.Offload{}
	if l.chance(l.path.Duplicate) {
		l.stats.Duplicated.Inc()
		l.carry(p.Clone(), e.to)
	}
	l.carry(p, e.to)
	return nil
}

// chance is true for a share of the calls. It draws no number for a share of 0, so that what is switched off changes
// nothing for the rest.
func (l *line) chance(share float64) bool { return share > 0 && l.rng.Float64() < share }

// lost moves the path between its states and decides on one packet.
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

// carry sends one packet on its way. One that meets no delay arrives before carry returns.
func (l *line) carry(p *packet.Buffer, to end) {
	if l.chance(l.path.Corrupt) {
		l.corrupt(p.Bytes()[min(l.kind.headerLen(), p.Len()):])
	}
	now := l.clock.Now()
	at, ok := l.arrival(now, p.Len())
	switch {
	case !ok || l.octets+p.Len() > maxTransit:
		l.stats.Overflowed.Inc()
		p.Free()
	case at <= now:
		l.arrive(p, to)
	default:
		t := l.transit()
		t.p, t.to, t.size = p, to, p.Len()
		l.pending[t] = struct{}{}
		l.octets += t.size
		t.timer.Arm(at)
	}
}

func (l *line) arrive(p *packet.Buffer, to end) {
	if to.arrive(p) != nil {
		l.stats.Refused.Inc()
	}
}

// corrupt turns one bit over: the Internet checksum finds that in all cases.
func (l *line) corrupt(b []byte) {
	if len(b) > 0 {
		l.stats.Corrupted.Inc()
		bit := l.rng.IntN(8 * len(b))
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// arrival is when a packet of n octets arrives that enters now; false when too many wait for the bottleneck.
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

// transmission is how long the bottleneck takes for n octets.
func (l *line) transmission(n int) time.Duration {
	return time.Duration(float64(n) * 8 * float64(time.Second) / float64(l.path.Rate))
}

// transit is a packet on its way.
type transit struct {
	line  *line
	timer timer.Timer
	p     *packet.Buffer // nil once it is arriving
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

// Expire is called by the timer: the packet arrives. It counts as pending until it has, so that none overtakes it.
func (t *transit) Expire(time.Duration) {
	l := t.line
	l.mu.Lock()
	p := t.p
	t.p = nil
	l.mu.Unlock()
	if p == nil { // the device was closed meanwhile
		return
	}
	l.arrive(p, t.to)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, t)
	l.octets -= t.size
	l.idle = append(l.idle, t)
}

// close loses all that is on its way.
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
	l.octets, l.idle = 0, nil
}
