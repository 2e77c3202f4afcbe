package sendq

import (
	"math/bits"
	"sync"
)

// page is memory that the Buffer owns.
type page struct{ b []byte }

const (
	pageSize = 64 << 10 // at least a super-packet, which therefore never spans more than two pieces
	minShift = 12       // log2 of the shortest page, 4 KiB
)

var pools [17 - minShift]sync.Pool // by size, a power of two

func newPage(size int) *page {
	shift := max(bits.Len(uint(size-1)), minShift)
	if p, _ := pools[shift-minShift].Get().(*page); p != nil {
		return p
	}
	return &page{make([]byte, 1<<shift)}
}

func (p *page) free() { pools[bits.Len(uint(len(p.b)-1))-minShift].Put(p) }
