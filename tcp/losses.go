package tcp

import (
	"slices"
	"time"
)

// losses is the part of a scoreboard that only losses call for. It names flights by their sequence numbers, and what it names may have
// become something else meanwhile: that is found out when its turn comes.
type losses struct {
	resends []resend // what was sent again, in that order: resends[head:]
	head    int
	holes   []Seq // where lost flights start: a heap, the lowest first
}

// resend is a retransmission: of these flights those still wait that were sent then.
type resend struct {
	Range
	sent time.Duration
}

// ensureLosses is the losses, made when they are first needed.
func (b *scoreboard) ensureLosses() *losses {
	if b.losses == nil {
		b.losses = new(losses)
	}
	return b.losses
}

// resent appends a retransmission. The one before it is forgotten if it was of the same.
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

// ackTo forgets the first retransmissions as far as they are acknowledged.
func (r *losses) ackTo(una Seq) {
	for r.head < len(r.resends) && r.resends[r.head].End.LessEq(una) {
		r.head++
	}
}

// oldestResent is the flight on its way that was sent first of those that were sent again; nil: none is.
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

// lost enters a lost flight by its start.
func (r *losses) lost(seq Seq) {
	h := append(r.holes, seq)
	for i := len(h) - 1; i > 0 && h[i].Less(h[(i-1)/2]); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
	r.holes = h
}

// filled removes the lowest of the holes.
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

// nextLost is the first flight to be sent again; false when there is none.
func (b *scoreboard) nextLost() (place, bool) {
	if b.lost == 0 {
		return place{}, false
	}
	return b.lowest(), true
}

func (b *scoreboard) lowest() place {
	for {
		if p := b.find(b.losses.holes[0]); b.valid(p) && b.at(p).lost {
			return p
		}
		b.losses.filled()
	}
}

// memory is what the losses occupy, in bytes.
func (r *losses) memory() int {
	if r == nil {
		return 0
	}
	return cap(r.resends)*resendSize + cap(r.holes)*4
}

const resendSize = 16
