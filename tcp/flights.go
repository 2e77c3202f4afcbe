package tcp

import (
	"slices"
	"time"
)

// flight is a stretch of sequence space that was sent at one time, as segments of size bytes each, the last perhaps shorter.
type flight struct {
	Range
	sent    time.Duration
	size    uint16
	skipped uint16 // bytes of its first segment that lie before Start
	sacked  bool   // the peer has reported it as received; neighbours that are sacked are one flight
	lost    bool   // taken for lost and not sent again
	retrans bool   // sent more than once
}

// flights holds what is in flight in order of sequence. It is cut into chunks: a flight is found by halving, and one more in
// between moves no more than a chunk. A peer that splits flights therefore does not make acknowledgments dearer.
type flights struct {
	chunks []chunk // the place behind the last one may hold the memory of an emptied one
	visits uint32  // flights looked at so far: tests bound the work of an acknowledgment by it
}

// chunk is at most chunkLen flights, base[from:]. None is empty.
type chunk struct {
	base []flight
	from int
}

const chunkLen = 64

// place says where a flight is, until one is added or removed.
type place struct{ chunk, i int }

func (l *flights) empty() bool { return len(l.chunks) == 0 }

func (l *flights) at(p place) *flight {
	l.visits++
	return &l.chunks[p.chunk].base[p.i]
}

// valid says whether there is a flight at p, which first, find and next may have moved beyond the last.
func (l *flights) valid(p place) bool { return p.chunk < len(l.chunks) }

func (l *flights) first() place {
	if l.empty() {
		return place{}
	}
	return place{0, l.chunks[0].from}
}

func (l *flights) next(p place) place {
	if p.i++; p.i < len(l.chunks[p.chunk].base) {
		return p
	}
	if p.chunk++; p.chunk < len(l.chunks) {
		return place{p.chunk, l.chunks[p.chunk].from}
	}
	return place{chunk: p.chunk}
}

// previous is the place before p; false when that is the first.
func (l *flights) previous(p place) (place, bool) {
	if p.i > l.chunks[p.chunk].from {
		return place{p.chunk, p.i - 1}, true
	}
	if p.chunk == 0 {
		return p, false
	}
	return place{p.chunk - 1, len(l.chunks[p.chunk-1].base) - 1}, true
}

// front is the flight at first; nil when there is none.
func (l *flights) front() *flight {
	if len(l.chunks) == 0 {
		return nil
	}
	l.visits++
	b := &l.chunks[0]
	return &b.base[b.from]
}

// last is the flight at the end; nil when there is none.
func (l *flights) last() *flight {
	n := len(l.chunks)
	if n == 0 {
		return nil
	}
	return l.chunks[n-1].last()
}

func (b *chunk) last() *flight { return &b.base[len(b.base)-1] }

// find is the place of the flight that contains or follows seq.
func (l *flights) find(seq Seq) place {
	n, _ := slices.BinarySearchFunc(l.chunks, seq, func(b chunk, seq Seq) int { return l.compare(b.last(), seq) })
	if n == len(l.chunks) {
		return place{chunk: n}
	}
	b := &l.chunks[n]
	i, _ := slices.BinarySearchFunc(b.base[b.from:], seq, func(f flight, seq Seq) int { return l.compare(&f, seq) })
	return place{n, b.from + i}
}

// compare says whether f ends before seq (-1) or not.
func (l *flights) compare(f *flight, seq Seq) int {
	l.visits++
	if f.End.LessEq(seq) {
		return -1
	}
	return 1
}

// push appends f.
func (l *flights) push(f flight) {
	n := len(l.chunks)
	if n == 0 || len(l.chunks[n-1].base) == chunkLen {
		l.extend()
		n++
	}
	b := &l.chunks[n-1]
	b.base = append(b.base, f)
}

// extend appends a chunk, which the caller fills. A connection that never has much in flight does with a small one.
func (l *flights) extend() {
	n := len(l.chunks)
	if n < cap(l.chunks) {
		l.chunks = l.chunks[:n+1]
	} else {
		l.chunks = append(l.chunks, chunk{})
	}
	if b := &l.chunks[n]; cap(b.base) == 0 && n > 0 {
		b.base = make([]flight, 0, chunkLen)
	}
}

// pop removes the first flight.
func (l *flights) pop() {
	b := &l.chunks[0]
	switch {
	case b.from+1 < len(b.base):
		b.from++
	case len(l.chunks) == 1:
		b.base, b.from = b.base[:0], 0
		l.chunks = l.chunks[:0]
	default:
		l.drop(0)
	}
}

// drop removes an emptied chunk, and keeps its memory for the next one.
func (l *flights) drop(i int) {
	n := len(l.chunks) - 1
	spare := chunk{base: l.chunks[i].base[:0]}
	copy(l.chunks[i:], l.chunks[i+1:])
	l.chunks[n] = spare
	if n+1 < cap(l.chunks) {
		l.chunks[:n+2][n+1] = chunk{} // one is enough
	}
	l.chunks = l.chunks[:n]
}

// insert puts f behind the flight at p and returns its place.
func (l *flights) insert(p place, f flight) place {
	b := &l.chunks[p.chunk]
	if len(b.base) == chunkLen {
		if b.from > 0 {
			b.base, p.i, b.from = slices.Delete(b.base, 0, b.from), p.i-b.from, 0
		} else {
			p = l.halve(p)
		}
		b = &l.chunks[p.chunk]
	}
	b.base = slices.Insert(b.base, p.i+1, f)
	return place{p.chunk, p.i + 1}
}

// halve makes two chunks of a full one, and returns the new place of the flight at p.
func (l *flights) halve(p place) place {
	const half = chunkLen / 2
	upper := chunk{base: make([]flight, half, chunkLen)}
	b := &l.chunks[p.chunk]
	copy(upper.base, b.base[half:])
	b.base = b.base[:half]
	l.chunks = slices.Insert(l.chunks, p.chunk+1, upper)
	if p.i >= half {
		return place{p.chunk + 1, p.i - half}
	}
	return p
}

// remove takes the flight at p out. What follows it may have its place then.
func (l *flights) remove(p place) {
	b := &l.chunks[p.chunk]
	if b.base = slices.Delete(b.base, p.i, p.i+1); len(b.base) == b.from {
		l.drop(p.chunk)
	}
}

// release gives back the memory of an empty list, unless it is little.
func (l *flights) release() {
	if cap(l.chunks) > 1 {
		l.chunks = nil
	}
}

// len is the number of flights.
func (l *flights) len() (n int) {
	for i := range l.chunks {
		n += len(l.chunks[i].base) - l.chunks[i].from
	}
	return n
}

// memory is what the chunks occupy beyond the first, in bytes.
func (l *flights) memory() int { return max(len(l.chunks)-1, 0) * chunkLen * flightSize }

const flightSize = 24

// waiting says whether f is on its way, as far as is known.
func (f *flight) waiting() bool { return !f.sacked && !f.lost }

// before says whether f was sent before g (RFC 8985 section 6.2, RACK_sent_after).
func (f *flight) before(sent time.Duration, end Seq) bool {
	return f.sent < sent || f.sent == sent && f.End.Less(end)
}

// segments is the part of w that is whole segments of f: what a peer reports of a segment in pieces does not count, or it could
// split flights without bound (CVE-2019-11478). The segments of an honest one arrive whole.
func (f *flight) segments(w Range) Range {
	size, origin := int(f.size), f.Start.Add(-int(f.skipped))
	in := f.Range
	if in.Start.Less(w.Start) {
		in.Start = origin.Add((w.Start.Sub(origin) + size - 1) / size * size)
	}
	if w.End.Less(in.End) {
		in.End = origin.Add(w.End.Sub(origin) / size * size)
	}
	return in
}
