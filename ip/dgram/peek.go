package dgram

import "syscall"

// peekOffset is SO_PEEK_OFF: where the next peek begins, in bytes from the start of the first queued datagram.
type peekOffset struct {
	on bool
	n  int
}

// read moves the offset when a datagram of size bytes is removed.
func (o *peekOffset) read(size int) { o.n = max(o.n-size, 0) }

// SetPeekOffset sets SO_PEEK_OFF; below 0 turns it off.
func (q *Receiver) SetPeekOffset(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.peekOff = peekOffset{on: n >= 0, n: max(n, 0)}
}

// PeekOffset is SO_PEEK_OFF; -1 when it is off.
func (q *Receiver) PeekOffset() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.peekOff.on {
		return -1
	}
	return q.peekOff.n
}

// peekAt copies the bytes of one datagram from the offset on and advances the offset by them. The error is EAGAIN when no datagram
// reaches beyond the offset.
func (q *Receiver) peekAt(b []byte) (int, Datagram, error) {
	off := q.peekOff.n
	for i := range q.n {
		e := &q.ring[(q.head+i)&(len(q.ring)-1)]
		if off > 0 && off >= e.p.Len() {
			off -= e.p.Len()
			continue
		}
		unit := max(e.size(), 1)
		start := off / unit * unit
		piece := e.p.Bytes()[off:min(start+unit, e.p.Len())]
		n := copy(b, piece)
		q.peekOff.n += n
		d := e.Datagram
		d.Size = len(piece)
		return n, d, nil
	}
	return 0, Datagram{}, syscall.EAGAIN
}
