package tcp

import (
	"slices"
	"time"
)

// losses finds the lost flights and the retransmitted ones of a scoreboard without a search. It is allocated at the first loss. Entries name
// flights by sequence number and may be out of date: a flight may have been acknowledged, sacked or sent again since. The readers skip such entries.
type losses struct {
	resends []resend // resends[head:] are the retransmissions in the order of sending
	head    int
	holes   []Seq // a heap, the lowest first. Invariant: each lost flight contains or follows an entry
}

// resend is a retransmission of the flights in Range. Those with the same time of sending have not been sent again since.
type resend struct {
	Range
	sent time.Duration
}

// ensureLosses returns the losses, allocating them at the first call.
func (b *scoreboard) ensureLosses() *losses {
	if b.losses == nil {
		b.losses = new(losses)
	}
	return b.losses
}

// resent appends a retransmission. It replaces the last entry if that has the same range.
func (r *losses) resent(w Range, now time.Duration) {
	if n := len(r.resends); n > r.head && r.resends[n-1].Range == w {
		r.resends[n-1].sent = now
		return
	}
	if 2*r.head > len(r.resends) {
		r.resends, r.head = slices.Delete(r.resends, 0, r.head), 0
	}
	r.resends = append(r.resends, resend{w, now})
}

// ackTo removes acknowledged retransmissions from the front.
func (r *losses) ackTo(una Seq) {
	for r.head < len(r.resends) && r.resends[r.head].End.LessEq(una) {
		r.head++
	}
}

// oldestResent returns the oldest waiting flight among the retransmitted ones; nil: none is waiting.
func (b *scoreboard) oldestResent() *flight {
	r := b.losses
	if r == nil {
		return nil
	}
	for ; r.head < len(r.resends); r.head++ {
		e := &r.resends[r.head]
		for p := b.find(e.Start); b.valid(p) && b.at(p).Start.Less(e.End); p = b.next(p) {
			f := b.at(p)
			if f.waiting() && f.retrans && f.sent == e.sent {
				return f
			}
			e.Start = f.End
		}
	}
	return nil
}

// lost adds the start of a lost flight to the heap.
func (r *losses) lost(seq Seq) {
	h := append(r.holes, seq)
	for i := len(h) - 1; i > 0 && h[i].Less(h[(i-1)/2]); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
	r.holes = h
}

// filled removes the lowest entry from the heap.
func (r *losses) filled() {
	n := len(r.holes) - 1
	h := r.holes[:n]
	if n > 0 {
		h[0] = r.holes[n]
	}
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if h[c].Less(h[least]) {
				least = c
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	r.holes = h
}

// nextLost returns the place of the lost flight with the lowest sequence number; false if no flight is lost.
func (b *scoreboard) nextLost() (place, bool) {
	if b.lost == 0 {
		return place{}, false
	}
	return b.lowest(), true
}

// lowest returns the place of the lowest lost flight, which exists, and removes outdated entries from the heap.
func (b *scoreboard) lowest() place {
	for {
		if p := b.find(b.losses.holes[0]); b.valid(p) && b.at(p).lost {
			return p
		}
		b.losses.filled()
	}
}

// memory is the size of the two lists in bytes.
func (r *losses) memory() int {
	if r == nil {
		return 0
	}
	return cap(r.resends)*resendSize + cap(r.holes)*4
}

const resendSize = 16
