package tcp

import "time"

// scoreboard records the bytes in flight, from SND.UNA to SND.NXT, and the state of each: RFC 6675's scoreboard with RFC 8985's transmission
// times, in bytes.
//
//	SND.UNA              fresh                        SND.NXT
//	   v                   v                             v
//	---+-------+-----------+--------+---------+----------+---> sequence numbers
//	   | lost  | waiting,  | sacked | waiting,| waiting, |
//	   |       | sent again|        | new     | new      |
//	---+-------+-----------+--------+---------+----------+
//	   ^hole   ^resend              ^oldestFresh
//
// A flight is waiting, sacked or lost. Loss detection marks waiting flights as lost, and Output retransmits them: then they wait again. The
// cost of an ACK is proportional to the flights that it newly reports, times the logarithm of their number, so that a hostile peer cannot make
// ACKs expensive.
type scoreboard struct {
	flights         // Invariant: they cover SND.UNA to SND.NXT without gap or overlap
	fresh   Seq     // Invariant: a waiting flight that was sent once does not begin before it
	losses  *losses // nil: no flight has been lost
	sacked  int     // Invariant: the sum of the sacked flights, in bytes
	lost    int     // Invariant: the sum of the lost flights, in bytes
}

// delivery describes the flights that an ACK reports as received for the first time, by its acknowledgment number or by SACK.
type delivery struct {
	bytes     int
	rtt       time.Duration // the RTT sample; 0: none
	latest    flight        // the flight that was sent last, if any
	any       bool          // there are such flights
	reordered bool          // a flight that was sent once was delivered after later ones
	mistaken  bool          // a lost flight was delivered before it was sent again
}

// add adds f. highest is the highest sequence number that earlier ACKs have reported.
func (d *delivery) add(f *flight, highest Seq) {
	d.bytes += f.Len()
	if !f.retrans {
		d.reordered = d.reordered || f.End.Less(highest)
		d.mistaken = d.mistaken || f.lost
	}
	if !d.any || d.latest.before(f.sent, f.End) {
		d.latest, d.any = *f, true
	}
}

// push records that w was sent for the first time, in segments of size bytes. It extends the last flight if that was sent at the same time and
// ends with a full segment. A shorter segment must end its flight, because a flight has segments of one size.
func (b *scoreboard) push(w Range, size int, now time.Duration) {
	if l := b.last(); l == nil {
		b.fresh = w.Start
	} else if l.sent == now && l.End == w.Start && l.waiting() && !l.retrans && int(l.size) == size && (l.Len()+int(l.skipped))%size == 0 {
		l.End = w.End
		return
	}
	b.flights.push(flight{Range: w, size: uint16(size), sent: now})
}

// ackTo removes the flights before una, and adds those that were not sacked to d.
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

// acked takes f, which is about to be removed, out of the sums.
func (b *scoreboard) acked(f *flight, highest Seq, d *delivery) {
	b.uncount(f)
	if !f.sacked {
		d.add(f, highest)
	}
}

// cutFront removes the part of f before seq, which lies within it.
func (f *flight) cutFront(seq Seq) {
	f.skipped = uint16((int(f.skipped) + seq.Sub(f.Start)) % int(f.size))
	f.Start = seq
}

// uncount subtracts f from the sums.
func (b *scoreboard) uncount(f *flight) {
	if f.sacked {
		b.sacked -= f.Len()
	}
	if f.lost {
		b.lost -= f.Len()
	}
}

// split divides the flight at p at seq, and returns the place of the flight that then begins at seq.
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

// sack marks the whole segments within w as received by the peer, and adds those that were not sacked before to d.
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

// join merges the sacked flight at p with sacked neighbours, and returns its place. Later ACKs that report the same bytes then visit one flight.
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

// markLost marks f as lost if it is waiting.
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

// markAllLost marks all waiting flights as lost.
func (b *scoreboard) markAllLost() {
	for f := b.oldest(); f != nil; f = b.oldest() {
		b.markLost(f)
	}
}

// timeout marks the first flight, and all flights sent up to the time before, as lost. If the first flight is sacked but not acknowledged, the
// peer has discarded data that it had reported (reneging): then it marks all sacked flights as lost, too (RFC 2018 section 8).
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

// lostFrom returns the lost bytes from the lost flight at p on. It stops at the first flight that is not lost, or at the first that brings
// the sum to size bytes.
func (b *scoreboard) lostFrom(p place, size int) Range {
	w := b.at(p).Range
	for p = b.next(p); w.Len() < size && b.valid(p) && b.at(p).lost; p = b.next(p) {
		w.End = b.at(p).End
	}
	return w
}

// resent records that the first n bytes from the flight at p on are sent again, in segments of size bytes. They are one flight from now on, so
// that flights that were split once do not stay small.
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

// cover removes the part of the flight at p before end, and returns the end of that part.
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

// oldest returns the waiting flight that was sent first; nil: none is waiting.
func (b *scoreboard) oldest() *flight {
	f, again := b.oldestFresh(), b.oldestResent()
	if f == nil || again != nil && again.before(f.sent, f.End) {
		return again
	}
	return f
}

// oldestFresh returns the oldest waiting flight among those sent once. They were sent in the order of their sequence numbers.
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
