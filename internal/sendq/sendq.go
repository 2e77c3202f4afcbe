// Package sendq is the send queue of a TCP connection: bytes are copied in once, or not at all, and leave as spans that
// need no further copy, as often as need be, until they are acknowledged.
package sendq

import (
	"slices"
	"sort"
)

// Queue holds bytes 0 to Len()-1 in pieces: pages of its own, which are taken from a pool as bytes come and given back
// as they go, so that a connection touches no more memory than it has in flight, and memory that was lent to it. No piece but
// the last is shorter than pageSize. The zero value is empty.
type Queue struct {
	pieces []piece
	head   int64 // where byte 0 stands in the stream
	len    int
}

// piece is consecutive bytes of the stream.
type piece struct {
	at   int64 // where b starts in the stream
	b    []byte
	page *page // that b lies in; nil: it was lent
	loan *Loan // then: whom to tell; nil: nobody
}

// Len is the number of bytes.
func (q *Queue) Len() int { return q.len }

// Memory is what the Queue keeps from being used otherwise, in bytes: its pages, and what was lent to it.
func (q *Queue) Memory() (n int) {
	for i := range q.pieces {
		if p := &q.pieces[i]; p.page != nil {
			n += len(p.page.b)
		} else {
			n += len(p.b)
		}
	}
	return n
}

// Write appends a copy of p. The caller bounds the size.
func (q *Queue) Write(p []byte) {
	for len(p) > 0 {
		n := copy(q.extend(len(p)), p)
		p = p[n:]
	}
}

// Lend appends p itself where that is worth it: less than a page is copied, and so is what fills up the page before it. Until
// the loan is returned p must not change.
func (q *Queue) Lend(p []byte, loan *Loan) {
	if last := q.last(); last != nil && len(last.b) < pageSize {
		n := min(len(p), pageSize-len(last.b))
		q.Write(p[:n])
		p = p[n:]
	}
	if len(p) < pageSize {
		q.Write(p)
		return
	}
	loan.take()
	q.pieces = append(q.pieces, piece{at: q.head + int64(q.len), b: p, loan: loan})
	q.len += len(p)
}

// extend makes the Queue longer by up to n bytes, all in one page, and returns them for the caller to fill.
func (q *Queue) extend(n int) []byte {
	last := q.last()
	if last == nil || len(last.b) >= pageSize {
		p := newPage(min(n, pageSize))
		q.pieces = append(q.pieces, piece{at: q.head + int64(q.len), b: p.b[:0], page: p})
		last = q.last()
	}
	old := len(last.b)
	n = min(n, pageSize-old)
	last.reserve(old + n)
	last.b = last.b[:old+n]
	q.len += n
	return last.b[old:]
}

func (q *Queue) last() *piece {
	if len(q.pieces) == 0 {
		return nil
	}
	return &q.pieces[len(q.pieces)-1]
}

// reserve moves a piece to a page of at least size bytes.
func (p *piece) reserve(size int) {
	if size <= cap(p.b) {
		return
	}
	old := p.page
	p.page = newPage(size)
	p.b = p.page.b[:copy(p.page.b, p.b)]
	old.free()
}

// Spans returns bytes off to off+n, no more than 64 KiB, as at most two slices, valid until the next change of the Queue.
func (q *Queue) Spans(off, n int) [2][]byte {
	if n == 0 {
		return [2][]byte{}
	}
	at := q.head + int64(off)
	i := sort.Search(len(q.pieces), func(i int) bool { return q.pieces[i].at > at }) - 1
	b := q.pieces[i].b[at-q.pieces[i].at:]
	if n <= len(b) {
		return [2][]byte{b[:n]}
	}
	return [2][]byte{b, q.pieces[i+1].b[:n-len(b)]}
}

// Discard removes the first n bytes. An empty Queue holds no memory.
func (q *Queue) Discard(n int) {
	q.len -= n
	q.head += int64(n)
	if q.len == 0 {
		q.Release()
		return
	}
	gone := 0
	for q.pieces[gone].end() <= q.head {
		gone++
	}
	q.drop(gone)
}

func (p *piece) end() int64 { return p.at + int64(len(p.b)) }

// Release forgets everything and gives the memory back.
func (q *Queue) Release() {
	q.drop(len(q.pieces))
	q.len = 0
	if cap(q.pieces) > 16 { // an idle connection keeps no long list
		q.pieces = nil
	}
}

// drop frees the first n pieces.
func (q *Queue) drop(n int) {
	if n == 0 {
		return
	}
	for i := range q.pieces[:n] {
		q.pieces[i].free()
	}
	q.pieces = slices.Delete(q.pieces, 0, n)
}

func (p *piece) free() {
	if p.page != nil {
		p.page.free()
	} else {
		p.loan.Return()
	}
}
