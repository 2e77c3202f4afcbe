// Package ring is the send queue of a TCP connection: octets are copied in once, and leave as spans that need no further
// copy, as often as need be, until they are acknowledged.
package ring

import (
	"math/bits"
	"sync"
)

// Buffer holds octets 0 to Len()-1.
// Its memory is a power of two, taken from a pool when the first octet comes and given back when the last one goes.
// The zero value is an empty Buffer.
type Buffer struct {
	mem  *memory
	head int // index of octet 0
	len  int
}

type memory struct{ b []byte }

const minShift = 12 // 4 KiB, the smallest memory

var pools [64 - minShift]sync.Pool

func allocate(size int) *memory {
	shift := max(bits.Len(uint(size-1)), minShift)
	if m, _ := pools[shift-minShift].Get().(*memory); m != nil {
		return m
	}
	return &memory{make([]byte, 1<<shift)}
}

func (m *memory) free() { pools[bits.Len(uint(len(m.b)-1))-minShift].Put(m) }

// Len is the number of octets.
func (b *Buffer) Len() int { return b.len }

// Write appends p. The caller bounds the size.
func (b *Buffer) Write(p []byte) {
	if len(p) == 0 {
		return
	}
	b.reserve(b.len + len(p))
	at := (b.head + b.len) & (len(b.mem.b) - 1)
	n := copy(b.mem.b[at:], p)
	copy(b.mem.b, p[n:])
	b.len += len(p)
}

// Spans returns octets off to off+n as at most two slices, valid until the next change of the Buffer.
func (b *Buffer) Spans(off, n int) [2][]byte {
	if n == 0 {
		return [2][]byte{}
	}
	at := (b.head + off) & (len(b.mem.b) - 1)
	if at+n <= len(b.mem.b) {
		return [2][]byte{b.mem.b[at : at+n]}
	}
	return [2][]byte{b.mem.b[at:], b.mem.b[:at+n-len(b.mem.b)]}
}

// Discard removes the first n octets. An empty Buffer gives its memory back.
func (b *Buffer) Discard(n int) {
	b.len -= n
	if b.len == 0 {
		b.Release()
		return
	}
	b.head = (b.head + n) & (len(b.mem.b) - 1)
}

// Release forgets everything and gives the memory back.
func (b *Buffer) Release() {
	if b.mem != nil {
		b.mem.free()
	}
	*b = Buffer{}
}

// reserve makes room for size octets, keeping those that are there.
func (b *Buffer) reserve(size int) {
	if b.mem == nil {
		b.mem = allocate(size)
		return
	}
	if size <= len(b.mem.b) {
		return
	}
	bigger := allocate(size)
	n := copy(bigger.b, b.mem.b[b.head:])
	copy(bigger.b[n:], b.mem.b[:b.head])
	b.mem.free()
	b.mem, b.head = bigger, 0
}
