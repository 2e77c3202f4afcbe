package sim

import (
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/tcp"
)

// Link is one direction of a wire. The zero value delivers everything at once.
type Link struct {
	Delay  time.Duration // of every packet, one way
	Jitter time.Duration // up to this is added for each packet; packets overtake each other
	Rate   int           // of the bottleneck in bytes per second; 0: unlimited
	Queue  int           // bytes that may wait for it
	Mark   int           // ECN-capable packets are marked while more bytes than this wait; 0: never
	Slot   time.Duration // packets leave only at multiples of it, and only the latest pure ACK; 0: at any time

	Loss      float64 // the share of packets that are lost, each independently
	AckLoss   float64 // the same for pure ACKs, in addition
	Duplicate float64
	Reorder   float64 // the share that takes up to twice the Delay
	Corrupt   float64
	Squeeze   float64 // the share whose window field is reduced
	Burst     Burst

	MTU       []Change // of the path, in order of time; a larger packet draws an ICMP error
	BlackHole bool     // a larger packet draws no ICMP error
	Cuts      []Cut    // times in which the link is cut

	// Drop, if not nil, reports which segments are lost in addition.
	Drop func(now time.Duration, s *tcp.Segment) bool

	free time.Duration // when the bottleneck has sent all that is queued
	bad  bool          // in a bad time of Burst
	last thinned
}

// thinned is the latest packet, if it was a pure ACK, of a link with a Slot.
type thinned struct {
	p  *parcel
	n  uint64
	at time.Duration
}

// Burst is the Gilbert model: the wire has good and bad times, and all packets are lost in bad ones. The zero value has no bad times.
type Burst struct {
	Begin, End float64 // the probabilities that a packet begins a bad time, and that it ends one
}

// Change sets the path MTU, in bytes, from the time At on.
type Change struct {
	At  time.Duration
	MTU int
}

// Cut is a time in which all packets are lost.
type Cut struct{ From, To time.Duration }

// Fate is the effect of a link on a packet.
type Fate uint8

const (
	Delivered Fate = iota
	Lost
	Overflow // the queue was full
	Cutoff   // the link was cut
	TooBig   // for the path MTU
	Corrupted
	Duplicated
	Marked // congestion experienced
)

var fateNames = [...]string{"", "lost", "queue full", "link cut", "too big", "corrupted", "twice", "marked"}

// String is empty for Delivered.
func (f Fate) String() string { return fateNames[f] }

// The addresses of the pseudo-header, whose sum has the same form in both families.
var pseudoSrc, pseudoDst = netip.AddrFrom4([4]byte{10, 0, 0, 1}), netip.AddrFrom4([4]byte{10, 0, 0, 2})

const protocolTCP = 6

// transmit sends one packet from e into the link.
func (l *Link) transmit(e *End, seg *tcp.Segment) Fate {
	s, size := e.sim, e.netHeader()+seg.HeaderLen()+seg.DataLen()
	switch {
	case l.cut(s.Now):
		return Cutoff
	case l.mtu(s.Now) < size:
		l.refuse(e, seg)
		return TooBig
	case l.loses(s, seg):
		return Lost
	}
	p := s.parcel(e.peer())
	p.ect = seg.ECT
	p.data = l.encode(s, p.data, seg)
	return l.carry(s, p, size, pureAck(seg))
}

// encode appends the segment, with its checksum, to b.
func (l *Link) encode(s *Sim, b []byte, seg *tcp.Segment) []byte {
	squeezed := *seg
	if l.Squeeze > 0 && !seg.Flags.Has(tcp.SYN) && s.chance(l.Squeeze) {
		squeezed.Wnd = uint16(s.Rand.IntN(int(seg.Wnd) + 1))
	}
	n := seg.HeaderLen()
	b = append(b, make([]byte, n)...)
	squeezed.PutHeader(b)
	b = append(append(b, seg.Payload...), seg.Wrap...)
	checksum.Put(b[16:], ^checksum.Sum(b, checksum.Pseudo(pseudoSrc, pseudoDst, protocolTCP, len(b))))
	return b
}

// carry sends a packet through the queue and the bottleneck, and delays, duplicates and corrupts it.
func (l *Link) carry(s *Sim, p *parcel, size int, pureAck bool) Fate {
	fate, at := Delivered, s.Now
	if l.Rate > 0 {
		waiting := int(int64(max(l.free-s.Now, 0)) * int64(l.Rate) / int64(time.Second))
		if waiting > 0 && waiting+size > l.Queue {
			return Overflow
		}
		if p.ect && l.Mark > 0 && waiting > l.Mark {
			p.ce, fate = true, Marked
		}
		l.free = max(l.free, s.Now) + time.Duration(int64(size)*int64(time.Second)/int64(l.Rate))
		at = l.free
	}
	at += l.Delay + p.to.flow.Extra
	if l.Slot > 0 {
		at = (at/l.Slot + 1) * l.Slot
		defer l.thin(p, at, pureAck)
	}
	at += s.upTo(l.Jitter)
	if s.chance(l.Reorder) {
		at += s.upTo(l.Delay)
	}
	if s.chance(l.Duplicate) {
		fate = Duplicated
		again := s.parcel(p.to)
		again.ect, again.ce, again.data = p.ect, p.ce, append(again.data, p.data...)
		s.post(again, at+s.upTo(l.Delay))
	}
	if s.chance(l.Corrupt) { // of one byte, which a checksum always detects
		fate = Corrupted
		p.data[s.Rand.IntN(len(p.data))] ^= byte(1 + s.Rand.IntN(255))
	}
	s.post(p, at)
	return fate
}

// thin replaces a pure ACK that leaves at the same time by p, if p is a pure ACK, too.
func (l *Link) thin(p *parcel, at time.Duration, pureAck bool) {
	if last := l.last; pureAck && last.p != nil && last.p.n == last.n && last.at == at && last.p.to == p.to {
		last.p.data = last.p.data[:0]
	}
	l.last = thinned{}
	if pureAck {
		l.last = thinned{p, p.n, at}
	}
}

// refuse sends an ICMP error about a packet that is too big.
func (l *Link) refuse(e *End, seg *tcp.Segment) {
	if l.BlackHole {
		return
	}
	p := e.sim.parcel(e)
	p.mtu, p.seq = l.mtu(e.sim.Now), seg.Seq
	e.sim.post(p, e.sim.Now+l.Delay)
}

func (l *Link) cut(now time.Duration) bool {
	for _, c := range l.Cuts {
		if c.From <= now && now < c.To {
			return true
		}
	}
	return false
}

// mtu returns the path MTU at the time now: 65,535 before the first Change.
func (l *Link) mtu(now time.Duration) int {
	mtu := 65535
	for _, c := range l.MTU {
		if c.At <= now {
			mtu = c.MTU
		}
	}
	return mtu
}

func (l *Link) loses(s *Sim, seg *tcp.Segment) bool {
	if l.Burst.Begin > 0 {
		if l.bad {
			l.bad = !s.chance(l.Burst.End)
		} else {
			l.bad = s.chance(l.Burst.Begin)
		}
	}
	return l.bad || s.chance(l.Loss) || pureAck(seg) && s.chance(l.AckLoss) || l.Drop != nil && l.Drop(s.Now, seg)
}

func pureAck(s *tcp.Segment) bool { return s.DataLen() == 0 && s.Flags&^(tcp.ECE|tcp.CWR) == tcp.ACK }

func (s *Sim) chance(p float64) bool { return p > 0 && s.Rand.Float64() < p }

func (s *Sim) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(s.Rand.Int64N(int64(d) + 1))
}
