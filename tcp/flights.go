package tcp

import (
	"slices"
	"time"
)

// flight is a part of the stream that was sent at one time, as segments of size bytes each, the last perhaps shorter.
type flight struct {
	Range                 // Invariant: not empty
	sent    time.Duration // when it was last sent
	size    uint16        // Invariant: not 0
	skipped uint16        // bytes of its first segment that lie before Start
	sacked  bool          // the peer has reported it as received. Invariant: not lost
	lost    bool          // taken for lost and not sent again
	retrans bool          // sent more than once
}

// flights is a list of flights in order of sequence, divided into chunks:
//
//	chunks[0]                      chunks[1]                  chunks[2]
//	 | removed | flight | flight |  | flight | ... | flight |  | flight | room |
//	           ^from                 ^from = 0
//
// Binary search over the chunks, and then within one, finds a flight. An insertion moves at most the flights of one chunk. The cost is therefore
// small even if a peer splits flights by SACK.
type flights struct {
	chunks []chunk // the element after the last may keep the memory of a removed chunk
	visits uint32  // flights visited so far: tests bound the cost of an ACK by it
}

// chunk is the flights base[from:]. Invariant: not empty, and at most chunkLen flights in base.
type chunk struct {
	base []flight
	from int
}

const chunkLen = 64

// place is the position of a flight. It is valid until a flight is inserted or removed.
type place struct{ chunk, i int }

func (l *flights) empty() bool { return len(l.chunks) == 0 }

// at returns the flight at p. The pointer is valid until a flight is inserted or removed.
func (l *flights) at(p place) *flight {
	l.visits++
	return &l.chunks[p.chunk].base[p.i]
}

// valid reports whether there is a flight at p. first, find and next return an invalid place beyond the last flight.
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

// previous returns the place before p; false if p is the first.
func (l *flights) previous(p place) (place, bool) {
	if p.i > l.chunks[p.chunk].from {
		return place{p.chunk, p.i - 1}, true
	}
	if p.chunk == 0 {
		return p, false
	}
	return place{p.chunk - 1, len(l.chunks[p.chunk-1].base) - 1}, true
}

// front returns the first flight; nil if there are no flights.
func (l *flights) front() *flight {
	if len(l.chunks) == 0 {
		return nil
	}
	l.visits++
	b := &l.chunks[0]
	return &b.base[b.from]
}

// last returns the last flight; nil if there are no flights.
func (l *flights) last() *flight {
	n := len(l.chunks)
	if n == 0 {
		return nil
	}
	return l.chunks[n-1].last()
}

func (b *chunk) last() *flight { return &b.base[len(b.base)-1] }

// find returns the place of the flight that contains or follows seq.
func (l *flights) find(seq Seq) place {
	n, _ := slices.BinarySearchFunc(l.chunks, seq, func(b chunk, seq Seq) int { return l.compare(b.last(), seq) })
	if n == len(l.chunks) {
		return place{chunk: n}
	}
	b := &l.chunks[n]
	i, _ := slices.BinarySearchFunc(b.base[b.from:], seq, func(f flight, seq Seq) int { return l.compare(&f, seq) })
	return place{n, b.from + i}
}

// compare returns -1 if f ends at or before seq, otherwise 1.
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

// extend appends a chunk, which the caller fills. The first chunk grows with its flights, because most connections have few in flight. Later ones
// have full size from the start.
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

// drop removes an emptied chunk, and keeps its memory for the next extend.
func (l *flights) drop(i int) {
	n := len(l.chunks) - 1
	spare := chunk{base: l.chunks[i].base[:0]}
	copy(l.chunks[i:], l.chunks[i+1:])
	l.chunks[n] = spare
	if n+1 < cap(l.chunks) {
		l.chunks[:n+2][n+1] = chunk{} // keep the memory of one chunk only
	}
	l.chunks = l.chunks[:n]
}

// insert inserts f after the flight at p and returns the place of f.
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

// halve divides the full chunk of p into two, and returns the new place of the flight at p.
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

// remove removes the flight at p. The next flight then is at p, or at the start of the next chunk.
func (l *flights) remove(p place) {
	b := &l.chunks[p.chunk]
	if b.base = slices.Delete(b.base, p.i, p.i+1); len(b.base) == b.from {
		l.drop(p.chunk)
	}
}

// release frees the memory of an empty list unless it is a single chunk.
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

// memory is the size of all chunks but the first, in bytes.
func (l *flights) memory() int { return max(len(l.chunks)-1, 0) * chunkLen * flightSize }

const flightSize = 24

// waiting reports whether f is in the network, as far as the sender knows: neither sacked nor lost.
func (f *flight) waiting() bool { return !f.sacked && !f.lost }

// before reports whether f was sent before a flight that was sent at that time and ends at end (RFC 8985 section 6.2, RACK_sent_after).
func (f *flight) before(sent time.Duration, end Seq) bool {
	return f.sent < sent || f.sent == sent && f.End.Less(end)
}

// segments returns the whole segments of f within w. A SACK of a part of a segment is ignored, or a peer could split flights without bound
// (CVE-2019-11478). An honest peer receives whole segments.
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
