package sockets

import (
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/socketapi"
)

// Server lends the sockets of a stack.
type Server struct {
	stack socketapi.Berkeley
	loop  *Loop
}

// NewServer returns a Server for the stack, which the caller closes before the stack.
func NewServer(stack *socketapi.Stack) (*Server, error) {
	l, err := NewLoop()
	if err != nil {
		return nil, err
	}
	return &Server{stack.Berkeley(), l}, nil
}

// Close ends the movement of data. The caller has ended all calls of Serve.
func (s *Server) Close() { s.loop.Close() }

// session is one client with its sockets.
type session struct {
	*Server
	out outbox

	mu      sync.Mutex
	last    uint64 // the latest socket's id
	sockets map[uint64]socket
}

// socket is a stream or a datagram socket that is lent.
type socket interface {
	perform(r *Request, file int) // and answer it; it owns file, if that is not -1
	run()                         // handle what has happened
	close()
	name(id uint64)
}

// Serve performs the calls that arrive on conn until it ends, and then closes the client's sockets. It closes conn.
func (s *Server) Serve(conn *net.UnixConn) error {
	c := &session{Server: s, out: outbox{conn: conn}, sockets: map[uint64]socket{}}
	in := newInbox(conn)
	defer c.close()
	defer in.close()
	defer conn.Close()
	for {
		err := c.next(in)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET):
			return nil // the client has ended
		case err != nil:
			return err
		}
	}
}

// next receives a call and performs it.
func (c *session) next(in *inbox) error {
	b, err := readFrame(in.r, requestLen)
	if err != nil {
		return err
	}
	r, err := parseRequest(b)
	file := -1
	if err == nil && r.File {
		file, err = in.file()
	}
	if err == nil {
		c.perform(r, file)
	}
	return err
}

func (c *session) close() {
	c.mu.Lock()
	open := c.sockets
	c.sockets = map[uint64]socket{}
	c.mu.Unlock()
	for _, so := range open {
		so.close()
	}
}

// free calls f, and again if an address was in use: perhaps by a socket that the program has just closed.
func (c *session) free(f func() error) error {
	err := f()
	if err != unix.EADDRINUSE {
		return err
	}
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.sockets))
	c.mu.Unlock()
	for _, so := range all {
		so.run()
	}
	return f()
}

// perform performs a call and answers it. It owns file.
func (c *session) perform(r *Request, file int) {
	if r.Op == OpSocket {
		c.create(r, file)
		return
	}
	so := c.find(r.Socket)
	if so == nil {
		closeFile(file)
		c.answer(r, Response{}, unix.EBADF)
		return
	}
	so.perform(r, file)
}

func closeFile(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

func (c *session) find(id uint64) socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sockets[id]
}

// create handles OpSocket.
func (c *session) create(r *Request, file int) {
	so, err := c.open(r, file)
	if err != nil {
		c.answer(r, Response{}, err)
		return
	}
	c.answer(r, Response{Socket: c.add(so)}, nil)
}

// open makes a socket. It owns file.
func (c *session) open(r *Request, file int) (socket, error) {
	fd, err := c.stack.Socket(r.Args[0], r.Args[1]|socketapi.SOCK_NONBLOCK, r.Args[2])
	switch {
	case err != nil:
		closeFile(file)
		return nil, err
	case r.Args[1] == socketapi.SOCK_STREAM:
		closeFile(file)
		return &stream{lent: lent{session: c, fd: fd}, end: -1}, nil
	case file < 0:
		err = unix.EINVAL
	}
	if err == nil {
		var d *datagram
		if d, err = newDatagram(lent{session: c, fd: fd}, file); err == nil {
			return d, nil
		}
	}
	c.stack.Close(fd)
	return nil, err
}

// add gives a socket its id.
func (c *session) add(so socket) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	so.name(c.last)
	c.sockets[c.last] = so
	return c.last
}

// answer sends the response to r.
func (c *session) answer(r *Request, response Response, err error) {
	response.ID, response.Op, response.Errno = r.ID, r.Op, errnoOf(err)
	c.out.put(&response)
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return errno
	}
	return syscall.EIO
}

// lent is the part that streams and datagram sockets share.
type lent struct {
	*session
	fd int // of the stack
	id uint64
}

func (l *lent) name(id uint64) { l.id = id }

// forget removes the socket from its session.
func (l *lent) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sockets, l.id)
}

// simple performs the calls that only ask the stack, and reports whether r is one of them.
func (l *lent) simple(r *Request) bool {
	var response Response
	var err error
	switch r.Op {
	case OpBind:
		err = l.free(func() error { return l.stack.Bind(l.fd, r.Addr) })
	case OpName:
		response.Addr, err = l.stack.GetSockName(l.fd)
	case OpPeer:
		response.Addr, err = l.stack.GetPeerName(l.fd)
	case OpSetOption:
		err = l.stack.SetSockOpt(l.fd, r.Args[0], r.Args[1], r.Data)
	case OpGetOption:
		b := make([]byte, min(max(r.Args[2], 0), maxOption))
		var n int
		if n, err = l.stack.GetSockOpt(l.fd, r.Args[0], r.Args[1], b); err == nil {
			response.Data = b[:min(n, len(b))]
		}
	case OpIoctl:
		response.N, err = l.stack.Ioctl(l.fd, r.Args[0], 0)
	default:
		return false
	}
	l.answer(r, response, err)
	return true
}

// maxOption is the size in bytes of the largest value of an option.
const maxOption = 4096
