package packet

// Stream is a stream of bytes in Buffers, oldest first. Bytes received in a Buffer can be queued and removed in it without a
// copy. The zero value is empty.
type Stream struct {
	first, last *Buffer // linked by Next
	len         int
	memory      int
}

// Len is the number of bytes in the stream.
func (s *Stream) Len() int { return s.len }

// Memory is the memory in bytes that the stream occupies.
func (s *Stream) Memory() int { return s.memory }

// Add appends the linear part of b, which it takes over.
func (s *Stream) Add(b *Buffer) {
	b.Next, b.Batch = nil, nil
	if s.last == nil {
		s.first = b
	} else {
		s.last.Next = b
	}
	s.last = b
	s.len += b.end - b.start
	s.memory += len(b.store)
}

// Write appends a copy of p, first in the room of the last Buffer.
func (s *Stream) Write(p []byte) {
	if s.last != nil {
		n := min(len(p), s.last.Tailroom())
		copy(s.last.Extend(n), p)
		s.len += n
		p = p[n:]
	}
	for len(p) > 0 {
		n := fit(len(p))
		s.Add(From(p[:n]))
		p = p[n:]
	}
}

// Join moves all of r to the end of s.
func (s *Stream) Join(r *Stream) {
	if r.first == nil {
		return
	}
	if s.last == nil {
		s.first = r.first
	} else {
		s.last.Next = r.first
	}
	s.last = r.last
	s.len += r.len
	s.memory += r.memory
	*r = Stream{}
}

// Peek copies bytes to p, from offset off on, without removing them, and returns their number.
func (s *Stream) Peek(off int, p []byte) int {
	n := 0
	for b := s.first; b != nil && n < len(p); b = b.Next {
		data := b.Bytes()
		skip := min(off, len(data))
		off -= skip
		n += copy(p[n:], data[skip:])
	}
	return n
}

// At is the byte at offset i, which must exist.
func (s *Stream) At(i int) byte {
	b := s.first
	for ; i >= b.end-b.start; b = b.Next {
		i -= b.end - b.start
	}
	return b.store[b.start+i]
}

// Read moves bytes to p and returns their number.
func (s *Stream) Read(p []byte) int {
	n := s.Peek(0, p)
	s.Discard(n)
	return n
}

// Discard removes the first n bytes, which must exist.
func (s *Stream) Discard(n int) {
	for n > 0 {
		size := s.first.end - s.first.start
		if n < size {
			s.first.TrimFront(n)
			s.len -= n
			return
		}
		n -= size
		s.Next().Free()
	}
}

// Front returns the contiguous bytes at the front, nil if the stream is empty. The stream keeps them.
func (s *Stream) Front() []byte {
	if s.first == nil {
		return nil
	}
	return s.first.Bytes()
}

// Next removes the first Buffer and returns it to its new owner, nil when the stream is empty.
func (s *Stream) Next() *Buffer {
	b := s.first
	if b == nil {
		return nil
	}
	if s.first = b.Next; s.first == nil {
		s.last = nil
	}
	b.Next = nil
	s.len -= b.end - b.start
	s.memory -= len(b.store)
	return b
}

// Take removes the first bytes, up to n and at least one if there is one, in their Buffers.
func (s *Stream) Take(n int) (taken Stream) {
	for s.first != nil && s.first.end-s.first.start <= n-taken.len {
		taken.Add(s.Next())
	}
	if rest := min(n-taken.len, s.len); taken.len == 0 && rest > 0 {
		taken.Write(s.first.Bytes()[:rest])
		s.Discard(rest)
	}
	return taken
}

// Release removes everything.
func (s *Stream) Release() {
	for b := s.Next(); b != nil; b = s.Next() {
		b.Free()
	}
}
