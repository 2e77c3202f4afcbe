package reassembly

import (
	"slices"
	"time"
	"unsafe"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// maxPieces bounds the disjoint pieces of one datagram, and with them the work per fragment.
const maxPieces = 64

// datagram is one incomplete datagram.
type datagram[C any] struct {
	key          Key
	context      C
	expires      time.Duration
	older, newer *datagram[C]
	index        int // in Engine.all
	memory       int // bytes charged for it

	payload   pages
	pieces    [maxPieces]piece // the first count are the received bytes, in order, disjoint and not adjacent
	count     int
	highest   int  // end of the last byte received
	end       int  // payload bytes in all; 0 until the last fragment is received
	firstLen  int  // payload bytes of the fragment with offset zero; 0 until it is received
	marked    bool // a fragment was marked CE
	headerLen int
	header    [MaxHeader]byte // of the fragment with offset zero
}

// piece is the bytes from start up to but not including end.
type piece struct{ start, end uint16 }

// empty is the memory in bytes of a datagram without payload: the struct, and its entries in the maps and the slice of the
// Engine.
func (d *datagram[C]) empty() int { return int(unsafe.Sizeof(*d)) + 256 }

// add copies a fragment. It returns Duplicates if all its bytes are already there, or the reason to give the datagram up.
func (d *datagram[C]) add(c *counters, f *Fragment[C]) *stats.Counter {
	p := piece{uint16(f.Offset), uint16(f.Offset + len(f.Payload))}
	if d.contradicts(p, f.More) {
		return &c.DropOverlap
	}
	have := d.pieces[:d.count]
	i, _ := slices.BinarySearchFunc(have, p.start, func(p piece, start uint16) int { return int(p.end) - int(start) - 1 })
	if i < len(have) && have[i].start < p.end {
		if have[i].start <= p.start && p.end <= have[i].end && d.payload.equal(f.Offset, f.Payload) {
			return &c.Duplicates
		}
		return &c.DropOverlap
	}
	if !d.insert(i, p) {
		return &c.DropPieces
	}
	d.memory += d.payload.write(f.Offset, f.Payload)
	d.highest = max(d.highest, int(p.end))
	if !f.More {
		d.end = int(p.end)
	}
	if p.start == 0 {
		d.firstLen = len(f.Payload)
		d.headerLen = copy(d.header[:], f.Header)
	}
	d.marked = d.marked || f.Marked
	return nil
}

// contradicts reports whether f, or the end it marks when more is false, disagrees with the end known so far.
func (d *datagram[C]) contradicts(f piece, more bool) bool {
	end := int(f.end)
	if d.end != 0 {
		return end > d.end || !more && end != d.end
	}
	return !more && end < d.highest
}

// insert adds a piece that precedes pieces[i] and overlaps no piece, and merges it with adjacent pieces. It returns false if
// there are too many pieces.
func (d *datagram[C]) insert(i int, f piece) bool {
	have := d.pieces[:d.count]
	joinsLeft := i > 0 && have[i-1].end == f.start
	joinsRight := i < len(have) && have[i].start == f.end
	switch {
	case joinsLeft && joinsRight:
		have[i-1].end = have[i].end
		copy(have[i:], have[i+1:])
		d.count--
	case joinsLeft:
		have[i-1].end = f.end
	case joinsRight:
		have[i].start = f.start
	case d.count == maxPieces:
		return false
	default:
		copy(d.pieces[i+1:], have[i:])
		d.pieces[i] = f
		d.count++
	}
	return true
}

func (d *datagram[C]) whole() bool {
	return d.end != 0 && d.count == 1 && d.pieces[0] == piece{0, uint16(d.end)}
}

// first returns the header of the fragment with offset zero and the first n bytes of the payload.
func (d *datagram[C]) first(n int) *packet.Buffer {
	p := packet.New(n)
	d.payload.read(0, p.Extend(n))
	copy(p.Prepend(d.headerLen), d.header[:d.headerLen])
	return p
}
