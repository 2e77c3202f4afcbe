package tcp

import (
	"slices"

	"tunstack/internal/packet"
)

// reassembler keeps bytes that arrive beyond RCV.NXT until the gap before them fills, and selects the SACK blocks to report.
//
//	     RCV.NXT                                  right edge
//	        v                                         v
//	in order|   gap   |blocks[0]|  gap  |blocks[1]|   |
//	--------+---------+=========+-------+=========+---+---> sequence numbers
//	                  ^Start    ^End
//
// It keeps the first copy of each byte and discards later ones. The receiver trims segments to the window before add, and bounds
// memory. add takes over the Buffer of a segment or copies its bytes (Segment.moveTo). take hands the bytes that RCV.NXT reaches, with their
// Buffers, to the caller. After the user has shut down reading, the blocks have ranges but no bytes, so that SACK still reports them.
type reassembler struct {
	// Invariant: ordered by Start, and a gap of at least one byte lies before each. All lie between RCV.NXT and the right edge. The first
	// begins at RCV.NXT only in SYN-RECEIVED, if the peer's SYN carried text (Conn.holdText).
	blocks []block
	latest *latest // Invariant: nil when there are no blocks
	memory int     // Invariant: the sum of blocks[i].bytes.Memory()
}

// block is a contiguous part of the stream that has arrived out of order.
type block struct {
	Range               // Invariant: not empty
	bytes packet.Stream // Invariant: Range.Len() bytes, or none after the user has shut down reading
}

const blockSize = 40

// latest are sequence numbers in the blocks that changed last, the latest first. Entries may name the same block, or bytes that RCV.NXT has
// passed: sackBlocks skips these.
type latest [len(Options{}.Sack)]Seq

// maxBlocks bounds the blocks; an honest path never comes near (SEC-020).
const maxBlocks = 1024

// maxWaste bounds the memory of received bytes, as a multiple of the receive buffer, because small blocks occupy a Buffer each. A small
// receive buffer may use leastWaste bytes, or a few blocks would fill it.
const (
	maxWaste   = 2
	leastWaste = 64 << 10
)

// add records that the part w of s has arrived and keeps the bytes of w that no block has. If s is nil, it records the range without bytes.
// It merges w with the blocks that w touches. It returns false, and changes nothing, if there are too many blocks.
func (g *reassembler) add(s *Segment, w Range) bool {
	i, _ := slices.BinarySearchFunc(g.blocks, w.Start, func(b block, s Seq) int { return b.End.Sub(s) })
	j := i
	for j < len(g.blocks) && g.blocks[j].Start.LessEq(w.End) {
		j++
	}
	if i == j && len(g.blocks) >= maxBlocks {
		return false
	}
	m := block{Range: Range{w.Start, w.Start}}
	for k := range g.blocks[i:j] {
		b := &g.blocks[i+k]
		g.memory -= b.bytes.Memory()
		m.fill(s, b.Start)
		m.bytes.Join(&b.bytes)
		m.Start, m.End = minSeq(m.Start, b.Start), b.End
	}
	m.fill(s, w.End)
	g.memory += m.bytes.Memory()
	g.blocks = slices.Replace(g.blocks, i, j, m)
	g.note(m.Range)
	return true
}

// fill extends b up to end, by bytes of s unless s is nil.
func (b *block) fill(s *Segment, end Seq) {
	if end.LessEq(b.End) {
		return
	}
	if s != nil {
		s.moveTo(&b.bytes, Range{b.End, end})
	}
	b.End = end
}

// find returns the index of the block that contains or follows seq.
func (g *reassembler) find(seq Seq) int {
	i, _ := slices.BinarySearchFunc(g.blocks, seq, func(b block, s Seq) int {
		if b.End.LessEq(s) {
			return -1
		}
		return 1
	})
	return i
}

// duplicate returns the first part of w that a block contains already, or an empty Range (RFC 2883 section 4).
func (g *reassembler) duplicate(w Range) Range {
	i := g.find(w.Start)
	if i == len(g.blocks) || w.End.LessEq(g.blocks[i].Start) {
		return Range{}
	}
	return Range{maxSeq(w.Start, g.blocks[i].Start), minSeq(w.End, g.blocks[i].End)}
}

// note makes the block w the latest, and removes older entries of the same block.
func (g *reassembler) note(w Range) {
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

// noteAgain makes the block that contains seq the latest.
func (g *reassembler) noteAgain(seq Seq) { g.note(g.blocks[g.find(seq)].Range) }

// take removes the blocks that RCV.NXT, which is about to become nxt, reaches. It returns the part of the last one beyond nxt, whose bytes the
// caller then owns. The Range is empty and starts at nxt if there is none.
func (g *reassembler) take(nxt Seq) block {
	n, reached := 0, block{Range: Range{nxt, nxt}}
	for ; n < len(g.blocks) && g.blocks[n].Start.LessEq(nxt); n++ {
		reached.bytes.Release() // the segment at RCV.NXT covers all of it
		reached = g.blocks[n]
		g.memory -= reached.bytes.Memory()
	}
	if n == 0 {
		return reached
	}
	if g.blocks = slices.Delete(g.blocks, 0, n); len(g.blocks) == 0 {
		g.blocks, g.latest = nil, nil
	}
	reached.bytes.Discard(min(nxt.Sub(reached.Start), reached.bytes.Len()))
	reached.Range = Range{nxt, maxSeq(nxt, reached.End)}
	return reached
}

// end returns the end of the last block, or seq if there are no blocks.
func (g *reassembler) end(seq Seq) Seq {
	if n := len(g.blocks); n > 0 {
		return g.blocks[n-1].End
	}
	return seq
}

// empty frees the bytes and keeps the ranges.
func (g *reassembler) empty() {
	for i := range g.blocks {
		g.blocks[i].bytes.Release()
	}
	g.memory = 0
}

func (g *reassembler) release() {
	g.empty()
	*g = reassembler{}
}

// sackBlocks fills in up to room SACK blocks of an ACK: first a duplicate (RFC 2883), then the blocks that changed last, the latest first,
// then others in order of sequence (RFC 2018 section 4).
func (r *receiver) sackBlocks(o *Options, room int) {
	if r.dsack != (Range{}) {
		o.Sack[0] = r.dsack
		o.SackCount = 1
		r.dsack = Range{}
	}
	first, g := int(o.SackCount), &r.reassembler
	report := func(w Range) {
		if n := int(o.SackCount); n < room && !slices.Contains(o.Sack[first:n], w) {
			o.Sack[n] = w
			o.SackCount++
		}
	}
	if len(g.blocks) == 0 {
		return
	}
	for _, seq := range g.latest {
		if i := g.find(seq); i < len(g.blocks) && g.blocks[i].Start.LessEq(seq) {
			report(g.blocks[i].Range)
		}
	}
	for i := range g.blocks[:min(len(g.blocks), len(o.Sack))] {
		report(g.blocks[i].Range)
	}
}
