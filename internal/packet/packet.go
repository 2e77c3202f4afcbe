// Package packet holds the one buffer type that travels between the layers.
//
// A *Buffer has exactly one owner. Passing it to another layer passes the ownership, and the last owner calls Free. There are
// no reference counts.
package packet

import (
	"slices"
	"sync"
)

// Headroom is the space kept before the payload for the headers of every layer below:
// virtio-net (12), Ethernet (14), IPv4 with options (60) and TCP (60) bytes, rounded up to a cache line.
const Headroom = 192

// MaxSize is the largest packet a Buffer carries: an IPv6 datagram, 40 bytes and 65,535 of payload, and its link header.
const MaxSize = 40 + 65535 + 14

// Cast is how a packet is addressed at the link layer. On receive the link reports the address of the frame (RFC 1122 section
// 2.4); on send package ip sets it.
type Cast uint8

const (
	Unicast Cast = iota
	Broadcast
	Multicast
)

// Buffer is one packet: a linear part that starts with the headers, and on send up to two
// borrowed spans of payload behind it.
//
// The spans belong to the sender and are valid only until the call that passed the Buffer returns.
// A layer that keeps a Buffer beyond that (the neighbour cache, the loopback, a backlog) calls Own first.
type Buffer struct {
	store      []byte
	start, end int
	spans      [2][]byte
	class      *class

	Cast    Cast
	Queue   uint16  // the device queue that received it; on send the queue it should leave by, so that a flow stays on one core
	Batch   *Batch  // of a received packet: the reader of the device calls Flush later; nil: transports answer at once
	Next    *Buffer // for a holder that queues packets
	Offload Offload
}

type class struct {
	size int
	pool sync.Pool
}

// classes are the sizes of backing store, headroom included: an Ethernet packet, a jumbo packet, anything.
var classes = [...]*class{{size: 2 << 10}, {size: 10 << 10}, {size: Headroom + MaxSize + 1}}

// New returns an empty Buffer with Headroom bytes before it and room for at least size bytes behind. Its memory is not zeroed.
// A size above MaxSize panics, because no caller has a packet that large.
func New(size int) *Buffer {
	for _, c := range classes {
		if Headroom+size <= c.size {
			b, _ := c.pool.Get().(*Buffer)
			if b == nil {
				b = &Buffer{store: make([]byte, c.size), class: c}
			}
			b.start, b.end = Headroom, Headroom
			b.begin()
			return b
		}
	}
	panic("packet: buffer larger than MaxSize")
}

// fit is how many of n bytes to put in one Buffer so that its memory is well used; the rest goes to another.
func fit(n int) int {
	for _, c := range slices.Backward(classes[:]) {
		if 2*n >= c.size {
			return min(n, c.size-Headroom)
		}
	}
	return n
}

// From returns a Buffer that holds a copy of data.
func From(data []byte) *Buffer {
	b := New(len(data))
	copy(b.Extend(len(data)), data)
	return b
}

// Free returns the Buffer to its pool. The caller must not touch it, or any slice of it, again.
func (b *Buffer) Free() {
	b.finish()
	b.spans = [2][]byte{}
	b.Cast, b.Queue, b.Batch, b.Next, b.Offload = Unicast, 0, nil, nil, Offload{}
	b.class.pool.Put(b)
}

// Bytes is the linear part: everything but the borrowed spans.
func (b *Buffer) Bytes() []byte { return b.store[b.start:b.end] }

// Spans are the borrowed payload behind the linear part; either may be empty.
func (b *Buffer) Spans() [2][]byte { return b.spans }

// Borrowed is the length of the spans in bytes.
func (b *Buffer) Borrowed() int { return len(b.spans[0]) + len(b.spans[1]) }

// Len is the packet's length in bytes, spans included.
func (b *Buffer) Len() int { return b.end - b.start + b.Borrowed() }

// Cap is the memory of the Buffer in bytes.
func (b *Buffer) Cap() int { return len(b.store) }

// Tailroom is how many bytes Extend can still add.
func (b *Buffer) Tailroom() int { return len(b.store) - b.end }

// Prepend grows the packet by n bytes in front and returns them for the caller to fill. It panics
// when the headroom is used up.
func (b *Buffer) Prepend(n int) []byte {
	b.start -= n
	return b.store[b.start : b.start+n : b.start+n]
}

// Extend grows the linear part by n bytes at its end and returns them for the caller to fill.
func (b *Buffer) Extend(n int) []byte {
	old := b.end
	b.end += n
	return b.store[old:b.end:b.end]
}

// TrimFront removes the first n bytes of the linear part: a header that has been read.
func (b *Buffer) TrimFront(n int) {
	if n > b.end-b.start {
		panic("packet: TrimFront beyond the linear part")
	}
	b.start += n
}

// Truncate cuts the linear part to its first n bytes: it removes link padding, or payload that the header does not count.
func (b *Buffer) Truncate(n int) {
	if n > b.end-b.start {
		panic("packet: Truncate beyond the linear part")
	}
	b.end = b.start + n
}

// Borrow sets the payload behind the linear part. The caller keeps the spans.
func (b *Buffer) Borrow(spans [2][]byte) { b.spans = spans }

// Own makes the Buffer independent of its sender by copying borrowed spans behind the linear part.
// It returns the Buffer that now holds the packet: another Buffer if this one is too small.
func (b *Buffer) Own() *Buffer {
	if b.Borrowed() == 0 {
		return b
	}
	if b.Tailroom() < b.Borrowed() {
		c := b.Clone()
		b.Free()
		return c
	}
	for i, s := range b.spans {
		copy(b.Extend(len(s)), s)
		b.spans[i] = nil
	}
	return b
}

// CopyAt copies the packet's bytes from offset on to dst, from the linear part and the spans. It returns how many there were.
func (b *Buffer) CopyAt(dst []byte, offset int) (n int) {
	for _, part := range [...][]byte{b.Bytes(), b.spans[0], b.spans[1]} {
		skip := min(offset, len(part))
		n += copy(dst[n:], part[skip:])
		offset -= skip
	}
	return n
}

// Clone returns an independent copy with full headroom; the caller owns both.
func (b *Buffer) Clone() *Buffer {
	c := New(b.Len())
	copy(c.Extend(b.end-b.start), b.Bytes())
	for _, s := range b.spans {
		copy(c.Extend(len(s)), s)
	}
	c.Cast, c.Queue, c.Offload = b.Cast, b.Queue, b.Offload
	return c
}

// Compact moves a small packet out of a large Buffer, for holders that queue packets: a queued packet of 10 bytes should not
// pin 64 KiB. It returns the Buffer that now holds the packet.
func (b *Buffer) Compact() *Buffer {
	if b.class == classes[0] || Headroom+b.Len() > classes[len(classes)-2].size {
		return b.Own()
	}
	c := b.Clone()
	b.Free()
	return c
}
