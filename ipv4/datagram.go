package ipv4

import (
	"slices"
	"time"
	"unsafe"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// maxPieces bounds the disjoint pieces of one datagram, and with them the work that a fragment makes.
const maxPieces = 64

// datagram is one datagram that is being put together.
type datagram struct {
	key          datagramKey
	in           *ip.Interface
	cast         packet.Cast
	expires      time.Duration
	older, newer *datagram
	index        int // in reassembly.all
	memory       int // bytes that it is charged for

	payload  pages
	pieces   [maxPieces]piece // the first count are what has been received, in order, disjoint and not adjacent
	count    int
	highest  int  // bytes up to the last one received
	end      int  // payload bytes in all; 0 until the last fragment has come
	firstLen int  // payload bytes of the fragment with offset zero; 0 until it has come
	ce       bool // a fragment met congestion (RFC 3168 section 5.3)
	header   [MaxHeaderLen]byte
}

// piece is the bytes from start up to but not including end.
type piece struct{ start, end uint16 }

// emptyMemory is what a datagram costs before its payload: itself, and its places in the maps and the slice of reassembly.
const emptyMemory = int(unsafe.Sizeof(datagram{})) + 256

// add copies in the fragment b with header h. It returns Duplicates if all of it is there already, or the reason to give the
// datagram up: overlapping fragments are either an attack or damage (RFC 6274 section 4.1).
func (d *datagram) add(c *counters, h *Header, b []byte) *stats.Counter {
	payload := b[h.Len():]
	f := piece{h.Offset, h.Offset + uint16(len(payload))}
	if d.contradicts(f, h.MF) {
		return &c.DropOverlap
	}
	have := d.pieces[:d.count]
	i, _ := slices.BinarySearchFunc(have, f.start, func(p piece, start uint16) int { return int(p.end) - int(start) - 1 })
	if i < len(have) && have[i].start < f.end {
		if have[i].start <= f.start && f.end <= have[i].end && d.payload.equal(int(f.start), payload) {
			return &c.Duplicates
		}
		return &c.DropOverlap
	}
	if !d.insert(i, f) {
		return &c.DropPieces
	}
	d.memory += d.payload.write(int(f.start), payload)
	d.highest = max(d.highest, int(f.end))
	if !h.MF {
		d.end = int(f.end)
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
	end := int(f.end)
	if d.end != 0 {
		return end > d.end || !more && end != d.end
	}
	return !more && end < d.highest
}

// insert notes a piece that comes before pieces[i] and overlaps none, joined with its neighbours where they touch. It returns
// false if there are too many pieces.
func (d *datagram) insert(i int, f piece) bool {
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

func (d *datagram) whole() bool {
	return d.end != 0 && d.count == 1 && d.pieces[0] == piece{0, uint16(d.end)}
}

// size is the length of the whole datagram.
func (d *datagram) size() int { return int(d.header[0]&15)*4 + d.end }

// finish returns the whole datagram.
func (d *datagram) finish() *packet.Buffer {
	p := d.first(d.end)
	var h Header
	h.Parse(p.Bytes())
	h.MF, h.TotalLen = false, p.Len()
	if d.ce {
		h.TOS |= 3
	}
	h.put(p.Bytes()[:h.Len()])
	return p
}

// first returns the header of the fragment with offset zero and the first n bytes of the payload.
func (d *datagram) first(n int) *packet.Buffer {
	p := packet.New(n)
	d.payload.read(0, p.Extend(n))
	headerLen := int(d.header[0]&15) * 4
	copy(p.Prepend(headerLen), d.header[:headerLen])
	return p
}
