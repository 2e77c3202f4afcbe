package tcp

import (
	"slices"

	"tunstack/internal/packet"
)

// gaps are the stretches received beyond RCV.NXT, in order of sequence, none touching the next.
type gaps struct {
	held   []held
	latest *latest
	memory int // of the bytes, as in packet.Queue
}

// latest are sequence numbers in the stretches that changed last, the last one first: those that SACK reports.
type latest [len(Options{}.Sack)]Seq

type held struct {
	Range
	queue packet.Queue // its octets; empty when nobody will read them
}

const heldSize = 40

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
	m := held{Range: Range{w.Start, w.Start}}
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
	g.note(m.Range)
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

// find is the index of the stretch that contains or follows seq.
func (g *gaps) find(seq Seq) int {
	i, _ := slices.BinarySearchFunc(g.held, seq, func(h held, s Seq) int {
		if h.End.LessEq(s) {
			return -1
		}
		return 1
	})
	return i
}

// duplicate is the first part of w that is held already, empty if none is (RFC 2883 section 4).
func (g *gaps) duplicate(w Range) Range {
	i := g.find(w.Start)
	if i == len(g.held) || w.End.LessEq(g.held[i].Start) {
		return Range{}
	}
	return Range{maxSeq(w.Start, g.held[i].Start), minSeq(w.End, g.held[i].End)}
}

// note makes w, which lies in one stretch, the latest. What was noted of the same stretch is forgotten.
func (g *gaps) note(w Range) {
	list, n := latest{w.Start, w.Start, w.Start, w.Start}, 1
	if g.latest == nil {
		g.latest = &latest{w.Start, w.Start, w.Start, w.Start}
	}
	for _, seq := range g.latest {
		if n < len(list) && (seq.Less(w.Start) || w.End.LessEq(seq)) {
			list[n] = seq
			n++
		}
	}
	*g.latest = list
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
		g.held, g.latest = nil, nil
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

// sackBlocks writes the blocks of an ACK: a duplicate before all (RFC 2883), the stretches that changed last, the latest first, and
// then, as far as there is room, the first others (RFC 2018 section 4).
func (r *receiver) sackBlocks(o *Options, room int) {
	if r.dsack != (Range{}) {
		o.Sack[0] = r.dsack
		o.SackCount = 1
		r.dsack = Range{}
	}
	first, g := int(o.SackCount), &r.gaps
	report := func(w Range) {
		if n := int(o.SackCount); n < room && !slices.Contains(o.Sack[first:n], w) {
			o.Sack[n] = w
			o.SackCount++
		}
	}
	if len(g.held) == 0 {
		return
	}
	for _, seq := range g.latest {
		if i := g.find(seq); i < len(g.held) && g.held[i].Start.LessEq(seq) {
			report(g.held[i].Range)
		}
	}
	for i := range g.held[:min(len(g.held), len(o.Sack))] {
		report(g.held[i].Range)
	}
}
