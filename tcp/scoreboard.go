package tcp

import (
	"slices"
	"time"
)

// scoreboard remembers what is in flight: between SND.UNA and SND.NXT, in order, as it was last sent. It is what
// RFC 6675's scoreboard and RFC 8985's transmission times are here, counted in octets.
type scoreboard struct {
	flights []flight
	base    []flight // the memory that flights is a window of
	sacked  int      // octets the peer has reported as received
	lost    int      // octets taken for lost and not sent again
}

// flight is a stretch of sequence space that was sent at one time.
type flight struct {
	Range
	sent    time.Duration
	sacked  bool
	lost    bool
	retrans bool // sent more than once
}

// delivery is what an acknowledgment says about the flights it newly covers.
type delivery struct {
	octets    int
	rtt       time.Duration // the round trip measured; 0: none
	latest    flight        // the one sent last
	any       bool
	reordered bool // a flight sent once was delivered after later ones
}

func (d *delivery) add(f *flight, highest Seq) {
	d.octets += f.Len()
	if !f.retrans && f.End.Less(highest) {
		d.reordered = true
	}
	if !d.any || f.sent > d.latest.sent || f.sent == d.latest.sent && d.latest.End.Less(f.End) {
		d.latest, d.any = *f, true
	}
}

// push records that w was sent for the first time.
func (b *scoreboard) push(w Range, now time.Duration) {
	if n := len(b.flights); n > 0 {
		if l := &b.flights[n-1]; l.sent == now && l.End == w.Start && !l.sacked && !l.lost && !l.retrans {
			l.End = w.End
			return
		}
	}
	b.room()
	b.flights = append(b.flights, flight{Range: w, sent: now})
}

// ackTo removes what is below una.
func (b *scoreboard) ackTo(una, highest Seq, d *delivery) {
	n := 0
	for n < len(b.flights) && b.flights[n].Start.Less(una) {
		f := b.flights[n]
		if una.Less(f.End) {
			b.flights[n].Start, f.End = una, una
		} else {
			n++
		}
		b.uncount(&f)
		if !f.sacked {
			d.add(&f, highest)
		}
	}
	b.flights = b.flights[n:]
	if len(b.flights) == 0 {
		b.flights = b.base[:0]
		if cap(b.base) > 64 {
			b.flights, b.base = nil, nil
		}
	}
}

// room makes space for one more flight, by moving all to the front of the memory when at least half of that is free.
func (b *scoreboard) room() {
	if n := len(b.flights); n == cap(b.flights) {
		if n > 0 && 2*n <= cap(b.base) {
			b.flights = b.base[:copy(b.base[:n], b.flights)]
			return
		}
		b.base = append(make([]flight, 0, max(4, 2*n)), b.flights...)
		b.flights = b.base
	}
}

func (b *scoreboard) uncount(f *flight) {
	if f.sacked {
		b.sacked -= f.Len()
	}
	if f.lost {
		b.lost -= f.Len()
	}
}

// find is the index of the flight that contains or follows seq.
func (b *scoreboard) find(seq Seq) int {
	i, _ := slices.BinarySearchFunc(b.flights, seq, func(f flight, s Seq) int {
		if f.End.LessEq(s) {
			return -1
		}
		return 1
	})
	return i
}

// split makes seq a boundary between flights and returns the index of the one that starts there.
func (b *scoreboard) split(seq Seq) int {
	i := b.find(seq)
	if i == len(b.flights) || seq.LessEq(b.flights[i].Start) {
		return i
	}
	b.room()
	b.flights = slices.Insert(b.flights, i+1, b.flights[i])
	b.flights[i].End = seq
	b.flights[i+1].Start = seq
	return i + 1
}

// sack marks w as received by the peer.
func (b *scoreboard) sack(w Range, highest Seq, d *delivery) {
	i := b.find(w.Start)
	if i == len(b.flights) || b.covered(i, w) {
		return
	}
	for i = b.split(w.Start); i < len(b.flights) && b.flights[i].Start.Less(w.End); i++ {
		if w.End.Less(b.flights[i].End) {
			b.split(w.End)
		}
		if f := &b.flights[i]; !f.sacked {
			d.add(f, highest)
			b.uncount(f)
			f.sacked, f.lost = true, false
			b.sacked += f.Len()
		}
	}
}

// covered is the quick way out for a block that repeats what is known.
func (b *scoreboard) covered(i int, w Range) bool {
	for ; i < len(b.flights) && b.flights[i].Start.Less(w.End); i++ {
		if !b.flights[i].sacked {
			return false
		}
	}
	return true
}

// markLost takes flight i for lost.
func (b *scoreboard) markLost(i int) {
	if f := &b.flights[i]; !f.lost && !f.sacked {
		f.lost = true
		b.lost += f.Len()
	}
}

func (b *scoreboard) markAllLost() {
	for i := range b.flights {
		b.markLost(i)
	}
}

// timeout takes the first flight and all that was sent up to before for lost. If the peer has taken back what it had reported (the first flight is sacked, yet
// not acknowledged), none of its reports count any more (RFC 2018 section 8).
func (b *scoreboard) timeout(before time.Duration) {
	if len(b.flights) > 0 && b.flights[0].sacked {
		for i := range b.flights {
			b.flights[i].sacked = false
		}
		b.sacked = 0
	}
	for i := range b.flights {
		if i == 0 || b.flights[i].sent <= before {
			b.markLost(i)
		}
	}
}

// nextLost is the index of the first flight to be sent again; -1: none.
func (b *scoreboard) nextLost() int {
	if b.lost == 0 {
		return -1
	}
	return slices.IndexFunc(b.flights, func(f flight) bool { return f.lost })
}

// lostFrom is flight i, a lost one, and what is lost right behind it, as far as that is needed for size octets.
func (b *scoreboard) lostFrom(i, size int) Range {
	w := b.flights[i].Range
	for i++; i < len(b.flights) && b.flights[i].lost && w.Len() < size; i++ {
		w.End = b.flights[i].End
	}
	return w
}

// resent records that n octets from the start of flight i on are sent again, as one from now on: what was cut small once
// does not remain so.
func (b *scoreboard) resent(i, n int, now time.Duration) {
	w := Range{b.flights[i].Start, b.flights[i].Start.Add(n)}
	b.split(w.End)
	j := i
	for ; j < len(b.flights) && b.flights[j].Start.Less(w.End); j++ {
		b.uncount(&b.flights[j])
	}
	b.flights[i] = flight{Range: w, retrans: true, sent: now}
	b.flights = slices.Delete(b.flights, i+1, j)
}
