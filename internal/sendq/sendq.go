// Package sendq is the send queue of a TCP connection: octets are copied in once, and leave as spans that need no further
// copy, as often as need be, until they are acknowledged.
package sendq

import (
	"math/bits"
	"slices"
	"sync"
)

// Queue holds octets 0 to Len()-1 in pages, which are taken from a pool as octets come and given back as they go: a
// connection touches no more memory than it has in flight. The zero value is empty.
type Queue struct {
	pages []*page // the last may be shorter than pageSize
	head  int     // where octet 0 lies in the first page
	len   int
}

type page struct{ b []byte }

const (
	pageSize = 64 << 10 // no less than a super-packet, which therefore never lies in more than two
	minShift = 12       // of the shortest page: 4 KiB
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

// Len is the number of octets.
func (q *Queue) Len() int { return q.len }

// Write appends p. The caller bounds the size.
func (q *Queue) Write(p []byte) {
	for len(p) > 0 {
		at := q.head + q.len
		i, off := at/pageSize, at%pageSize
		n := min(len(p), pageSize-off)
		q.reserve(i, off+n)
		copy(q.pages[i].b[off:], p[:n])
		q.len += n
		p = p[n:]
	}
}

// reserve makes page i, the last or the one after it, at least size octets long.
func (q *Queue) reserve(i, size int) {
	if i == len(q.pages) {
		q.pages = append(q.pages, newPage(size))
		return
	}
	if old := q.pages[i]; size > len(old.b) {
		q.pages[i] = newPage(size)
		copy(q.pages[i].b, old.b)
		old.free()
	}
}

// Spans returns octets off to off+n, no more than 64 KiB, as at most two slices, valid until the next change of the Queue.
func (q *Queue) Spans(off, n int) [2][]byte {
	if n == 0 {
		return [2][]byte{}
	}
	at := q.head + off
	i, from := at/pageSize, at%pageSize
	if from+n <= pageSize {
		return [2][]byte{q.pages[i].b[from : from+n]}
	}
	return [2][]byte{q.pages[i].b[from:], q.pages[i+1].b[:from+n-pageSize]}
}

// Discard removes the first n octets. An empty Queue holds no page.
func (q *Queue) Discard(n int) {
	q.len -= n
	if q.len == 0 {
		q.Release()
		return
	}
	q.head += n
	q.drop(q.head / pageSize)
	q.head %= pageSize
}

// Release forgets everything and gives the memory back.
func (q *Queue) Release() {
	q.drop(len(q.pages))
	q.head, q.len = 0, 0
	if cap(q.pages) > 16 { // an idle connection keeps no long list
		q.pages = nil
	}
}

// drop frees the first n pages.
func (q *Queue) drop(n int) {
	if n == 0 {
		return
	}
	for _, p := range q.pages[:n] {
		p.free()
	}
	q.pages = slices.Delete(q.pages, 0, n)
}
