package tcp

import (
	"slices"

	"tunstack/internal/packet"
)

// gaps are the stretches received beyond RCV.NXT, in order of sequence, none touching the next.
type gaps struct {
	held   []held
	stamp  uint32
	memory int // of the octets, as in packet.Queue
}

type held struct {
	Range
	stamp uint32       // when it last changed: SACK reports the latest first
	queue packet.Queue // its octets; empty when nobody will read them
}

const heldSize = 48

// maxGaps bounds the stretches; an honest path never comes near (SEC-020).
const maxGaps = 1024

// maxWaste bounds the memory of what waits, as a multiple of the receive buffer: small stretches occupy a Buffer each.
// With a small receive buffer it may be leastWaste octets, or a few stretches would be all.
const (
	maxWaste   = 2
	leastWaste = 64 << 10
)

// add holds the part w of a segment's octets, or without keep only notes that they have come. It merges w with the stretches
// that it meets; false when there are too many.
func (g *gaps) add(s *Segment, w Range, keep bool) bool {
	i, _ := slices.BinarySearchFunc(g.held, w.Start, func(h held, s Seq) int { return h.End.Sub(s) })
	j := i
	for j < len(g.held) && g.held[j].Start.LessEq(w.End) {
		j++
	}
	if i == j && len(g.held) >= maxGaps {
		return false
	}
	g.stamp++
	m := held{Range: Range{w.Start, w.Start}, stamp: g.stamp}
	for k := range g.held[i:j] {
		h := &g.held[i+k]
		g.memory -= h.queue.Memory()
		m.fill(s, h.Start, keep)
		m.queue.Join(&h.queue)
		m.Start, m.End = minSeq(m.Start, h.Start), h.End
	}
	m.fill(s, w.End, keep)
	g.memory += m.queue.Memory()
	g.held = slices.Replace(g.held, i, j, m)
	return true
}

// fill extends h up to end by octets of a segment.
func (h *held) fill(s *Segment, end Seq, keep bool) {
	if end.LessEq(h.End) {
		return
	}
	if keep {
		s.moveTo(&h.queue, Range{h.End, end})
	}
	h.End = end
}

// covered reports whether all of w is held already.
func (g *gaps) covered(w Range) (Range, bool) {
	for i := range g.held {
		if h := &g.held[i]; h.Start.LessEq(w.Start) && w.End.LessEq(h.End) {
			g.stamp++
			h.stamp = g.stamp
			return w, true
		}
	}
	return Range{}, false
}

// take removes what RCV.NXT, now at nxt, has reached, and returns what of it lies beyond nxt.
func (g *gaps) take(nxt Seq) held {
	n, reached := 0, held{Range: Range{nxt, nxt}}
	for ; n < len(g.held) && g.held[n].Start.LessEq(nxt); n++ {
		reached.queue.Release() // all of it has come again
		reached = g.held[n]
		g.memory -= reached.queue.Memory()
	}
	if n == 0 {
		return reached
	}
	if g.held = slices.Delete(g.held, 0, n); len(g.held) == 0 {
		g.held = nil
	}
	reached.queue.Discard(min(nxt.Sub(reached.Start), reached.queue.Len()))
	reached.Range = Range{nxt, maxSeq(nxt, reached.End)}
	return reached
}

// end is where the last stretch ends; seq if there is none.
func (g *gaps) end(seq Seq) Seq {
	if n := len(g.held); n > 0 {
		return g.held[n-1].End
	}
	return seq
}

// empty frees the octets held.
func (g *gaps) empty() {
	for i := range g.held {
		g.held[i].queue.Release()
	}
	g.memory = 0
}

func (g *gaps) release() {
	g.empty()
	*g = gaps{}
}

// sackBlocks writes the blocks of an ACK, the latest first (RFC 2018 section 4), a duplicate before all (RFC 2883).
func (r *receiver) sackBlocks(o *Options, room int) {
	if r.dsack != (Range{}) {
		o.Sack[0] = r.dsack
		o.SackCount = 1
		r.dsack = Range{}
	}
	bound := r.gaps.stamp + 1
	for int(o.SackCount) < room {
		var best *held
		for i := range r.gaps.held {
			h := &r.gaps.held[i]
			if int32(h.stamp-bound) < 0 && (best == nil || int32(h.stamp-best.stamp) > 0) {
				best = h
			}
		}
		if best == nil {
			return
		}
		o.Sack[o.SackCount] = best.Range
		o.SackCount++
		bound = best.stamp
	}
}
