package packet

// Queue is a stream of bytes in Buffers, oldest first. Bytes received in a Buffer can be queued and removed in it without a
// copy. The zero value is empty.
type Queue struct {
	first, last *Buffer // linked by Next
	len         int
	memory      int
}

// Len is the number of bytes in the queue.
func (q *Queue) Len() int { return q.len }

// Memory is the memory in bytes that the queue occupies.
func (q *Queue) Memory() int { return q.memory }

// Add appends the linear part of b, which it takes over.
func (q *Queue) Add(b *Buffer) {
	b.Next, b.Batch = nil, nil
	if q.last == nil {
		q.first = b
	} else {
		q.last.Next = b
	}
	q.last = b
	q.len += b.end - b.start
	q.memory += len(b.store)
}

// Write appends a copy of p, first in the room of the last Buffer.
func (q *Queue) Write(p []byte) {
	if q.last != nil {
		n := min(len(p), q.last.Tailroom())
		copy(q.last.Extend(n), p)
		q.len += n
		p = p[n:]
	}
	for len(p) > 0 {
		n := fit(len(p))
		q.Add(From(p[:n]))
		p = p[n:]
	}
}

// Join moves all of r to the end of q.
func (q *Queue) Join(r *Queue) {
	if r.first == nil {
		return
	}
	if q.last == nil {
		q.first = r.first
	} else {
		q.last.Next = r.first
	}
	q.last = r.last
	q.len += r.len
	q.memory += r.memory
	*r = Queue{}
}

// Peek copies bytes to p, from offset off on, without removing them, and returns their number.
func (q *Queue) Peek(off int, p []byte) int {
	n := 0
	for b := q.first; b != nil && n < len(p); b = b.Next {
		data := b.Bytes()
		skip := min(off, len(data))
		off -= skip
		n += copy(p[n:], data[skip:])
	}
	return n
}

// At is the byte at offset i, which must exist.
func (q *Queue) At(i int) byte {
	b := q.first
	for ; i >= b.end-b.start; b = b.Next {
		i -= b.end - b.start
	}
	return b.store[b.start+i]
}

// Read moves bytes to p and returns their number.
func (q *Queue) Read(p []byte) int {
	n := q.Peek(0, p)
	q.Discard(n)
	return n
}

// Discard removes the first n bytes, which must exist.
func (q *Queue) Discard(n int) {
	for n > 0 {
		size := q.first.end - q.first.start
		if n < size {
			q.first.TrimFront(n)
			q.len -= n
			return
		}
		n -= size
		q.Next().Free()
	}
}

// Front returns the contiguous bytes at the front, nil if the queue is empty. The queue keeps them.
func (q *Queue) Front() []byte {
	if q.first == nil {
		return nil
	}
	return q.first.Bytes()
}

// Next removes the first Buffer and returns it to its new owner, nil when the queue is empty.
func (q *Queue) Next() *Buffer {
	b := q.first
	if b == nil {
		return nil
	}
	if q.first = b.Next; q.first == nil {
		q.last = nil
	}
	b.Next = nil
	q.len -= b.end - b.start
	q.memory -= len(b.store)
	return b
}

// Take removes the first bytes, up to n and at least one if there is one, in their Buffers.
func (q *Queue) Take(n int) (taken Queue) {
	for q.first != nil && q.first.end-q.first.start <= n-taken.len {
		taken.Add(q.Next())
	}
	if rest := min(n-taken.len, q.len); taken.len == 0 && rest > 0 {
		taken.Write(q.first.Bytes()[:rest])
		q.Discard(rest)
	}
	return taken
}

// Release removes everything.
func (q *Queue) Release() {
	for b := q.Next(); b != nil; b = q.Next() {
		b.Free()
	}
}
