package sockets

import (
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"tunstack/socketapi"
)

// inward moves received bytes to the program.
func (s *stream) inward() {
	if s.inDone || s.end < 0 {
		return
	}
	var refused error // by the pair
	err := s.watch.Receive(func(b []byte) (int, error) {
		n, err := unix.Write(s.end, b)
		if err == nil {
			return n, nil
		}
		if err == unix.EPIPE && !s.hungUp() { // the program has shut down receiving only: as TCP, discard
			return len(b), nil
		}
		refused = err
		return 0, err
	})
	switch {
	case err == unix.EAGAIN:
	case refused != nil: // the program has closed its end
		s.inDone = true
	case err == io.EOF:
		s.inDone = true
		_ = unix.Shutdown(s.end, unix.SHUT_WR) // ENOTCONN: the program has closed its end
	default:
		s.fail(errnoOf(err))
	}
}

// bufferSize is enough for the largest datagram with its Header.
const bufferSize = 68 << 10

// buffers are the memory for one read from a pair.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// outward sends the bytes that the program has written.
func (s *stream) outward() {
	switch {
	case s.closed || s.phase != established || s.end < 0:
		return
	case s.abortive.Load() && s.hungUp(): // with whatever is in flight
		s.abort()
		return
	case s.outDone:
		if s.hungUp() {
			s.closeNow()
		}
		return
	}
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	for s.flush() {
		n, err := unix.Read(s.end, b[:])
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
			continue
		case err != nil: // the program has closed its end with received bytes unread
			s.abort()
			return
		case n == 0:
			s.finish()
			return
		}
		skip := min(s.stuffing, n)
		s.stuffing -= skip
		s.send(b[skip:n])
	}
}

// send sends bytes, and keeps those that do not fit into the send buffer.
func (s *stream) send(data []byte) {
	if len(data) == 0 {
		return
	}
	n, err := s.stack.Send(s.fd, data, socketapi.MSG_DONTWAIT|socketapi.MSG_NOSIGNAL)
	if err != nil && err != unix.EAGAIN {
		return // inward reports the error
	}
	s.rest = append(s.rest, data[max(n, 0):]...)
}

// flush sends the bytes that did not fit, and reports whether there are none left.
func (s *stream) flush() bool {
	if len(s.rest) == 0 {
		return true
	}
	rest := s.rest
	s.rest = nil
	s.send(rest)
	return len(s.rest) == 0
}

// finish handles the end of the program's data: its close, or a shutdown.
func (s *stream) finish() {
	how := unix.SHUT_WR
	switch {
	case s.hungUp():
		s.closeNow()
		return
	case s.shut:
		how = unix.SHUT_RDWR
	}
	s.outDone = true
	_ = s.stack.Shutdown(s.fd, how) // fails after a reset, which inward reports
}
