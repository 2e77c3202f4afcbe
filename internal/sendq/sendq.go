// Package sendq is the send queue of a TCP connection: bytes are copied in once, or lent without a copy, and are sent as spans
// without another copy, as often as needed, until they are acknowledged.
package sendq

import (
	"slices"
	"sort"
)

// Buffer holds bytes 0 to Len()-1 in pieces: pages of its own and memory that was lent to it. Pages come from a pool and return
// to it when their bytes are acknowledged, so that a connection uses memory only for bytes in flight. Every piece but the last
// has at least pageSize bytes. The zero value is empty.
//
// Bytes enter at the end by Write or Lend and leave at the front by Discard; in between they do not change, and Spans returns
// any part of them any number of times. The Buffer owns its pages and their memory. The lender owns lent memory, and may change
// it only after the loan is returned. The Buffer does not bound its size: the caller does.
type Buffer struct {
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
func (b *Buffer) Len() int { return b.len }

// Memory is the memory in bytes that the Buffer holds: its pages, and the memory lent to it.
func (b *Buffer) Memory() (n int) {
	for i := range b.pieces {
		if p := &b.pieces[i]; p.page != nil {
			n += len(p.page.b)
		} else {
			n += len(p.b)
		}
	}
	return n
}

// Write appends a copy of p. The caller bounds the size.
func (b *Buffer) Write(p []byte) {
	for len(p) > 0 {
		n := copy(b.extend(len(p)), p)
		p = p[n:]
	}
}

// Lend appends p itself if p is long enough: less than a page is copied, and so are the bytes that fill up the page before it.
// p must not change until the loan is returned.
func (b *Buffer) Lend(p []byte, loan *Loan) {
	if last := b.last(); last != nil && len(last.b) < pageSize {
		n := min(len(p), pageSize-len(last.b))
		b.Write(p[:n])
		p = p[n:]
	}
	if len(p) < pageSize {
		b.Write(p)
		return
	}
	loan.take()
	b.pieces = append(b.pieces, piece{at: b.head + int64(b.len), b: p, loan: loan})
	b.len += len(p)
}

// extend makes the Buffer longer by up to n bytes, all in one page, and returns them for the caller to fill.
func (b *Buffer) extend(n int) []byte {
	last := b.last()
	if last == nil || len(last.b) >= pageSize {
		p := newPage(min(n, pageSize))
		b.pieces = append(b.pieces, piece{at: b.head + int64(b.len), b: p.b[:0], page: p})
		last = b.last()
	}
	old := len(last.b)
	n = min(n, pageSize-old)
	last.reserve(old + n)
	last.b = last.b[:old+n]
	b.len += n
	return last.b[old:]
}

func (b *Buffer) last() *piece {
	if len(b.pieces) == 0 {
		return nil
	}
	return &b.pieces[len(b.pieces)-1]
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

// Spans returns bytes off to off+n, no more than 64 KiB, as at most two slices, valid until the next change of the Buffer.
func (b *Buffer) Spans(off, n int) [2][]byte {
	if n == 0 {
		return [2][]byte{}
	}
	at := b.head + int64(off)
	i := sort.Search(len(b.pieces), func(i int) bool { return b.pieces[i].at > at }) - 1
	first := b.pieces[i].b[at-b.pieces[i].at:]
	if n <= len(first) {
		return [2][]byte{first[:n]}
	}
	return [2][]byte{first, b.pieces[i+1].b[:n-len(first)]}
}

// Discard removes the first n bytes. An empty Buffer holds no memory.
func (b *Buffer) Discard(n int) {
	b.len -= n
	b.head += int64(n)
	if b.len == 0 {
		b.Release()
		return
	}
	gone := 0
	for b.pieces[gone].end() <= b.head {
		gone++
	}
	b.drop(gone)
}

func (p *piece) end() int64 { return p.at + int64(len(p.b)) }

// Release forgets everything and gives the memory back.
func (b *Buffer) Release() {
	b.drop(len(b.pieces))
	b.len = 0
	if cap(b.pieces) > 16 { // an idle connection keeps no long list
		b.pieces = nil
	}
}

// drop frees the first n pieces.
func (b *Buffer) drop(n int) {
	if n == 0 {
		return
	}
	for i := range b.pieces[:n] {
		b.pieces[i].free()
	}
	b.pieces = slices.Delete(b.pieces, 0, n)
}

func (p *piece) free() {
	if p.page != nil {
		p.page.free()
	} else {
		p.loan.Return()
	}
}
