// Package sendq is the send queue of a TCP connection: bytes are copied in once, or lent without a copy, and are sent as spans
// without another copy, as often as needed, until they are acknowledged.
package sendq

import (
	"slices"
	"sort"
)

// Queue holds bytes 0 to Len()-1 in pieces: pages of its own and memory that was lent to it. Pages come from a pool and return
// to it when their bytes are acknowledged, so that a connection uses memory only for bytes in flight. Every piece but the last
// has at least pageSize bytes. The zero value is empty.
//
// Bytes enter at the end by Write or Lend and leave at the front by Discard; in between they do not change, and Spans returns
// any part of them any number of times. The Queue owns its pages and their memory. The lender owns lent memory, and may change
// it only after the loan is returned. The Queue does not bound its size: the caller does.
type Queue struct {
	pieces []piece // Invariant: consecutive, from head or before to head + len; Discard frees whole pieces only
	head   int64   // position of byte 0 in the stream
	len    int     // number of bytes
}

// piece is consecutive bytes of the stream.
type piece struct {
	at   int64 // position of b in the stream
	b    []byte
	page *page // the page of b; nil: b was lent
	loan *Loan // of lent memory, may be nil
}

// Len is the number of bytes.
func (q *Queue) Len() int { return q.len }

// Memory is the memory in bytes that the Queue holds: its pages, and the memory lent to it.
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

// Lend appends p itself if p is long enough: less than a page is copied, and so are the bytes that fill up the page before it.
// p must not change until the loan is returned.
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
