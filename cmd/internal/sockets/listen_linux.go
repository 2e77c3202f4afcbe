package sockets

import (
	"golang.org/x/sys/unix"

	"tunstack/internal/poll"
	"tunstack/socketapi"
)

// accepted is a connection that the client could not deliver.
type accepted struct {
	so   *stream
	peer Response
}

// listen makes the stream a listener.
func (s *stream) listen(r *Request) {
	err := s.free(func() error { return s.stack.Listen(s.fd, r.Args[0]) })
	if err == nil {
		s.phase = listening
		err = s.observe()
	}
	s.answer(r, Response{}, err)
}

// signal makes the program's end of a listener readable if a connection waits: it holds one byte as long as one does.
func (s *stream) signal() {
	if s.end >= 0 && !s.signaled && s.acceptable() {
		_, err := unix.Write(s.end, []byte{0})
		s.signaled = err == nil
	}
}

// acceptable reports whether a connection waits.
func (s *stream) acceptable() bool {
	if len(s.returned) > 0 {
		return true
	}
	fds := []socketapi.PollFd{{Fd: s.fd, Events: poll.In}}
	n, err := s.stack.Poll(fds, 0)
	return n > 0 && err == nil && fds[0].Revents&poll.In != 0
}

// accept hands out the connection that has waited longest. The response says whether the client has to take the byte away.
func (s *stream) accept(r *Request) {
	response, err := s.next()
	if s.signaled && !s.acceptable() {
		s.signaled, response.Empty = false, true
	}
	s.answer(r, response, err)
}

func (s *stream) next() (Response, error) {
	if len(s.returned) > 0 {
		a := s.returned[0]
		s.returned = s.returned[1:]
		return a.peer, nil
	}
	fd, peer, err := s.stack.Accept(s.fd)
	if err != nil {
		return Response{}, err
	}
	if _, err := s.stack.Fcntl(fd, socketapi.F_SETFL, socketapi.O_NONBLOCK); err != nil {
		s.stack.Close(fd)
		return Response{}, err
	}
	conn := &stream{lent: lent{session: s.session, fd: fd}, end: -1, phase: established}
	return Response{Socket: s.add(conn), Addr: peer}, nil
}

// unaccept puts a connection that was not delivered back to the head of the queue.
func (s *stream) unaccept(r *Request) {
	id := uint64(r.Args[0])
	if conn, ok := s.find(id).(*stream); ok && conn != s {
		s.returned = append(s.returned, accepted{conn, Response{Socket: id, Addr: r.Addr}})
	}
	s.answer(r, Response{}, nil)
	s.signal()
}
