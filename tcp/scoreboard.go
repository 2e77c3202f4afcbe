package tcp

import "time"

// scoreboard remembers what is in flight: between SND.UNA and SND.NXT, in order, as it was last sent. It is what
// RFC 6675's scoreboard and RFC 8985's transmission times are here, counted in bytes. The work of an acknowledgment is in proportion to
// what it newly tells; besides, a flight is found in a time that grows with the logarithm of their number.
type scoreboard struct {
	flights
	fresh  Seq     // below it none waits of what was sent only once
	losses *losses // nil while nothing was lost
	sacked int     // bytes the peer has reported as received
	lost   int     // bytes taken for lost and not sent again
}

// delivery is what an acknowledgment says about the flights it newly covers.
type delivery struct {
	octets    int
	rtt       time.Duration // the round trip measured; 0: none
	latest    flight        // the one sent last
	any       bool
	reordered bool // a flight sent once was delivered after later ones
	mistaken  bool // a flight taken for lost was delivered before it was sent again
}

func (d *delivery) add(f *flight, highest Seq) {
	d.octets += f.Len()
	if !f.retrans {
		d.reordered = d.reordered || f.End.Less(highest)
		d.mistaken = d.mistaken || f.lost
	}
	if !d.any || d.latest.before(f.sent, f.End) {
		d.latest, d.any = *f, true
	}
}

// push records that w was sent for the first time, in segments of size bytes. Together with what went just before it is one flight, unless
// that ends with a shorter segment: its end would be forgotten.
func (b *scoreboard) push(w Range, size int, now time.Duration) {
	if l := b.last(); l == nil {
		b.fresh = w.Start
	} else if l.sent == now && l.End == w.Start && l.waiting() && !l.retrans && int(l.size) == size && (l.Len()+int(l.skipped))%size == 0 {
		l.End = w.End
		return
	}
	b.flights.push(flight{Range: w, size: uint16(size), sent: now})
}

// ackTo removes what is below una.
func (b *scoreboard) ackTo(una, highest Seq, d *delivery) {
	for f := b.front(); f != nil && f.Start.Less(una); f = b.front() {
		if una.Less(f.End) {
			gone := *f
			gone.End = una
			b.acked(&gone, highest, d)
			f.cutFront(una)
			break
		}
		b.acked(f, highest, d)
		b.pop()
	}
	if b.fresh.Less(una) {
		b.fresh = una
	}
	if b.empty() {
		b.release()
		b.losses = nil
	} else if b.losses != nil {
		b.losses.ackTo(una)
	}
}

func (b *scoreboard) acked(f *flight, highest Seq, d *delivery) {
	b.uncount(f)
	if !f.sacked {
		d.add(f, highest)
	}
}

// cutFront lets f begin at seq, which lies within it.
func (f *flight) cutFront(seq Seq) {
	f.skipped = uint16((int(f.skipped) + seq.Sub(f.Start)) % int(f.size))
	f.Start = seq
}

func (b *scoreboard) uncount(f *flight) {
	if f.sacked {
		b.sacked -= f.Len()
	}
	if f.lost {
		b.lost -= f.Len()
	}
}

// split makes seq, which lies in the flight at p, a boundary between flights, and returns the place of the one that starts there.
func (b *scoreboard) split(p place, seq Seq) place {
	f := b.at(p)
	if seq == f.Start {
		return p
	}
	rest := *f
	rest.cutFront(seq)
	f.End = seq
	if rest.lost {
		b.losses.lost(seq)
	}
	return b.insert(p, rest)
}

// sack marks w as received by the peer, as far as it is whole segments.
func (b *scoreboard) sack(w Range, highest Seq, d *delivery) {
	for p := b.find(w.Start); b.valid(p) && b.at(p).Start.Less(w.End); p = b.next(p) {
		f := b.at(p)
		if f.sacked {
			continue
		}
		in := f.segments(w)
		if in.End.LessEq(in.Start) {
			continue
		}
		p = b.split(p, in.Start)
		if in.End.Less(b.at(p).End) {
			p, _ = b.previous(b.split(p, in.End))
		}
		f = b.at(p)
		d.add(f, highest)
		b.uncount(f)
		b.sacked += f.Len()
		f.sacked, f.lost = true, false
		p = b.join(p)
	}
}

// join makes one flight of the sacked one at p and its sacked neighbours, and returns its place: who reports them again is soon answered.
func (b *scoreboard) join(p place) place {
	if q := b.next(p); b.valid(q) && b.at(q).sacked {
		b.at(p).End = b.at(q).End
		b.remove(q)
	}
	if q, ok := b.previous(p); ok && b.at(q).sacked {
		b.at(q).End = b.at(p).End
		b.remove(p)
		return q
	}
	return p
}

// markLost takes f for lost.
func (b *scoreboard) markLost(f *flight) {
	if f.waiting() {
		f.lost = true
		r := b.ensureLosses()
		if b.lost == 0 {
			r.holes = r.holes[:0]
		}
		r.lost(f.Start)
		b.lost += f.Len()
	}
}

func (b *scoreboard) markAllLost() {
	for f := b.oldest(); f != nil; f = b.oldest() {
		b.markLost(f)
	}
}

// timeout takes the first flight and all that was sent up to before for lost. If the peer has taken back what it had reported (the first flight is sacked, yet
// not acknowledged), none of its reports count any more, and all of it is lost (RFC 2018 section 8).
func (b *scoreboard) timeout(before time.Duration) {
	if b.front().sacked {
		b.sacked = 0
		for p := b.first(); b.valid(p); p = b.next(p) {
			if f := b.at(p); f.sacked {
				f.sacked = false
				b.markLost(f)
			}
		}
	}
	b.markLost(b.front())
	for f := b.oldest(); f != nil && f.sent <= before; f = b.oldest() {
		b.markLost(f)
	}
}

// lostFrom is what is lost from the flight at p on, a lost one, as far as that is needed for size bytes.
func (b *scoreboard) lostFrom(p place, size int) Range {
	w := b.at(p).Range
	for p = b.next(p); w.Len() < size && b.valid(p) && b.at(p).lost; p = b.next(p) {
		w.End = b.at(p).End
	}
	return w
}

// resent records that n bytes from the start of the flight at p on are sent again, in segments of size bytes and as one flight from now
// on: what was cut small once does not remain so.
func (b *scoreboard) resent(p place, n, size int, now time.Duration) {
	f := b.at(p)
	w := Range{f.Start, f.Start.Add(n)}
	if w.End.Less(f.End) {
		p, _ = b.previous(b.split(p, w.End))
		f = b.at(p)
	}
	b.uncount(f)
	end := f.End
	*f = flight{Range: w, retrans: true, sent: now, size: uint16(size)}
	for end.Less(w.End) {
		end = b.cover(b.next(p), w.End)
	}
	b.ensureLosses().resent(w, now)
}

// cover removes the flight at p as far as end, and returns how far that was.
func (b *scoreboard) cover(p place, end Seq) Seq {
	f := b.at(p)
	if f.End.LessEq(end) {
		end = f.End
		b.uncount(f)
		b.remove(p)
		return end
	}
	gone := *f
	gone.End = end
	b.uncount(&gone)
	if f.cutFront(end); f.lost {
		b.losses.lost(end)
	}
	return end
}

// oldest is the flight on its way that was sent first; nil: none is.
func (b *scoreboard) oldest() *flight {
	f, again := b.oldestFresh(), b.oldestResent()
	if f == nil || again != nil && again.before(f.sent, f.End) {
		return again
	}
	return f
}

// oldestFresh is the same of the flights that were sent only once: their order in time is that of their sequence.
func (b *scoreboard) oldestFresh() *flight {
	for p := b.find(b.fresh); b.valid(p); p = b.next(p) {
		f := b.at(p)
		if f.waiting() && !f.retrans {
			return f
		}
		b.fresh = f.End
	}
	return nil
}
