package ipv4

import (
	"bytes"
	"slices"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// maxPieces bounds the disjoint pieces of one datagram, and with them the work that a fragment makes.
const maxPieces = 64

// datagram is one datagram that is being put together. Fragments are copied to their place in p at once, so a holder
// of many tiny fragments costs no more than one of a few large ones.
type datagram struct {
	key          datagramKey
	in           *Interface
	cast         packet.Cast
	expires      time.Duration
	older, newer *datagram

	p        *packet.Buffer // payload, with gaps; its linear part reaches to the last octet received
	pieces   []piece        // what has been received, in order, disjoint and not adjacent
	end      int            // payload octets in all; 0 until the last fragment has come
	firstLen int            // payload octets of the fragment with offset zero; 0 until it has come
	ce       bool           // a fragment met congestion (RFC 3168 section 5.3)
	header   [MaxHeaderLen]byte
}

// piece is the octets from start up to but not including end.
type piece struct{ start, end int }

// memory is what the datagram costs.
func (d *datagram) memory() int {
	if d.p == nil {
		return 0
	}
	return packet.Headroom + d.p.Len() + d.p.Tailroom()
}

// add copies in the fragment b with header h. It returns Duplicates if all of it is there already, or the reason to give the
// datagram up: overlapping fragments are either an attack or damage (RFC 6274 section 4.1).
func (d *datagram) add(c *counters, h *Header, b []byte) *stats.Counter {
	payload := b[h.Len():]
	f := piece{int(h.Offset), int(h.Offset) + len(payload)}
	if d.contradicts(f, h.MF) {
		return &c.DropOverlap
	}
	i, _ := slices.BinarySearchFunc(d.pieces, f.start, func(p piece, start int) int { return p.end - start - 1 })
	if i < len(d.pieces) && d.pieces[i].start < f.end {
		if d.pieces[i].start <= f.start && f.end <= d.pieces[i].end && bytes.Equal(d.p.Bytes()[f.start:f.end], payload) {
			return &c.Duplicates
		}
		return &c.DropOverlap
	}
	if !d.insert(i, f) {
		return &c.DropPieces
	}
	d.grow(f.end)
	copy(d.p.Bytes()[f.start:], payload)
	if !h.MF {
		d.end = f.end
	}
	if f.start == 0 {
		d.firstLen = len(payload)
		copy(d.header[:], b[:h.Len()])
	}
	d.ce = d.ce || h.TOS&3 == 3
	return nil
}

// contradicts says whether f, or the end it marks when more is false, does not fit the end known so far.
func (d *datagram) contradicts(f piece, more bool) bool {
	if d.end != 0 {
		return f.end > d.end || !more && f.end != d.end
	}
	return !more && d.p != nil && f.end < d.p.Len()
}

// insert notes a piece that comes before pieces[i] and overlaps none, joined with its neighbours where they touch.
func (d *datagram) insert(i int, f piece) bool {
	joinsLeft := i > 0 && d.pieces[i-1].end == f.start
	joinsRight := i < len(d.pieces) && d.pieces[i].start == f.end
	switch {
	case joinsLeft && joinsRight:
		d.pieces[i-1].end = d.pieces[i].end
		d.pieces = slices.Delete(d.pieces, i, i+1)
	case joinsLeft:
		d.pieces[i-1].end = f.end
	case joinsRight:
		d.pieces[i].start = f.start
	case len(d.pieces) == maxPieces:
		return false
	default:
		d.pieces = slices.Insert(d.pieces, i, f)
	}
	return true
}

// grow makes the linear part reach to end.
func (d *datagram) grow(end int) {
	if d.p == nil {
		d.p = packet.New(end)
	}
	if n := end - d.p.Len(); n > d.p.Tailroom() {
		larger := packet.New(end)
		copy(larger.Extend(d.p.Len()), d.p.Bytes())
		d.p.Free()
		d.p = larger
	}
	if n := end - d.p.Len(); n > 0 {
		d.p.Extend(n)
	}
}

func (d *datagram) whole() bool {
	return d.end != 0 && len(d.pieces) == 1 && d.pieces[0] == piece{0, d.end}
}

// size is the length of the whole datagram.
func (d *datagram) size() int { return int(d.header[0]&15)*4 + d.end }

// finish puts the header before the payload p, as that of one whole datagram.
func (d *datagram) finish(p *packet.Buffer) {
	var h Header
	h.Parse(d.header[:])
	h.MF, h.TotalLen = false, uint16(h.Len()+d.end)
	if d.ce {
		h.TOS |= 3
	}
	h.put(p.Prepend(h.Len()))
}

// restoreFirst makes p the fragment with offset zero as it came.
func (d *datagram) restoreFirst(p *packet.Buffer) {
	n := int(d.header[0]&15) * 4
	p.Truncate(d.firstLen)
	copy(p.Prepend(n), d.header[:n])
}
