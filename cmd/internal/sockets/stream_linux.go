package sockets

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/internal/poll"
	"tunstack/socketapi"
)

// phase is the state of a stream.
type phase uint8

const (
	idle phase = iota
	connecting
	established // or an end of it
	listening
	failed // the connection has ended by an error
)

// stream is a TCP socket. Calls of the client and events of the stack and of the pair take turns; the fields below turns belong to them.
type stream struct {
	lent
	pending  atomic.Int32 // SO_ERROR after the network has ended the connection
	abortive atomic.Bool  // SO_LINGER with time 0: a close resets the connection
	lingers  atomic.Bool  // SO_LINGER with another time: a close waits

	mu     sync.Mutex
	posted []func() // calls of the client that wait for a turn

	turns    poll.Turns
	watch    *socketapi.Watch
	phase    phase
	closed   bool
	end      int    // of the pair; -1: none
	stuffing int    // bytes at the start of the pair that are not data
	rest     []byte // read from the pair, and not yet sent
	inDone   bool   // nothing more goes to the program
	outDone  bool   // the FIN was sent
	shut     bool   // the program has shut both directions down, which looks like its close
	returned []accepted
	signaled bool // the program's end of a listener holds a byte
}

// perform implements socket.
func (s *stream) perform(r *Request, file int) {
	switch {
	case r.Op == OpGetOption && r.Args[0] == unix.SOL_SOCKET && r.Args[1] == unix.SO_ERROR && s.pending.Load() != 0:
		s.answer(r, Response{Data: layout(s.pending.Swap(0))}, nil)
		return
	case r.Op == OpSetOption:
		s.noteLinger(r)
	}
	if s.simple(r) {
		closeFile(file)
		return
	}
	s.post(func() {
		if s.closed {
			closeFile(file)
			s.answer(r, Response{}, unix.EBADF)
			return
		}
		s.turn(r, file)
	})
}

// layout is an int in the kernel's form.
func layout(v int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

// noteLinger remembers SO_LINGER.
func (s *stream) noteLinger(r *Request) {
	if r.Args[0] == unix.SOL_SOCKET && r.Args[1] == unix.SO_LINGER && len(r.Data) >= 8 {
		on, seconds := binary.NativeEndian.Uint32(r.Data), binary.NativeEndian.Uint32(r.Data[4:])
		s.abortive.Store(on != 0 && seconds == 0)
		s.lingers.Store(on != 0 && seconds != 0)
	}
}

// post runs f in a turn.
func (s *stream) post(f func()) {
	s.mu.Lock()
	s.posted = append(s.posted, f)
	s.mu.Unlock()
	s.run()
}

// run takes a turn.
func (s *stream) run() { s.turns.Take(s.step) }

// turn performs the calls that change the state of the stream.
func (s *stream) turn(r *Request, file int) {
	if r.Op == OpAttach {
		s.answer(r, Response{}, s.attach(file, r.Args[0]))
		return
	}
	closeFile(file)
	switch r.Op {
	case OpConnect:
		s.connect(r)
	case OpListen:
		s.listen(r)
	case OpAccept:
		s.accept(r)
	case OpUnaccept:
		s.unaccept(r)
	case OpShutdown:
		s.answer(r, Response{}, s.shutdown(r.Args[0]))
	case OpReset:
		s.detach()
		s.answer(r, Response{}, nil)
	case OpClose:
		s.closeNow()
		s.answer(r, Response{}, nil)
	default:
		s.answer(r, Response{}, unix.EOPNOTSUPP)
	}
}

// step handles everything that has happened to the stream.
func (s *stream) step() {
	s.mu.Lock()
	posted := s.posted
	s.posted = nil
	s.mu.Unlock()
	for _, f := range posted {
		f()
	}
	if s.closed {
		return
	}
	if s.phase == connecting {
		s.outcome()
	}
	switch s.phase {
	case listening:
		s.signal()
	case established:
		s.inward()
		s.outward()
	}
	if !s.closed && s.phase != established && s.hungUp() {
		s.closeNow()
	}
}

// attach takes over the end of the pair.
func (s *stream) attach(end, stuffing int) error {
	switch {
	case end < 0 || s.end >= 0:
		closeFile(end)
		return unix.EINVAL
	case s.phase == failed: // the program's poll shows the error, because the stuffing is unread
		unix.Close(end)
		return nil
	}
	err := unix.SetNonblock(end, true)
	if err == nil {
		err = s.observe()
	}
	if err == nil {
		err = s.loop.Add(end, func(uint32) { s.run() })
	}
	if err != nil {
		unix.Close(end)
		return err
	}
	s.end, s.stuffing = end, max(stuffing, 0)
	return nil
}

// detach closes the pair's end.
func (s *stream) detach() {
	if s.end >= 0 {
		s.loop.Remove(s.end)
		unix.Close(s.end)
		s.end = -1
	}
}

// observe makes the stack's events take turns.
func (s *stream) observe() (err error) {
	if s.watch == nil {
		s.watch, err = s.stack.Watch(s.fd, poll.In|poll.Out|poll.RdHup, s.run)
	}
	return err
}

// connect begins a connection, or returns the outcome of an attempt.
func (s *stream) connect(r *Request) {
	err := s.observe()
	if err == nil {
		err = s.stack.Connect(s.fd, r.Addr)
	}
	s.stuffing += max(r.Args[0], 0)
	switch {
	case err == unix.EINPROGRESS:
		s.phase = connecting
	case err == nil && r.Addr.IsValid():
		s.phase = established
	case err == nil: // AF_UNSPEC
		s.phase = idle
		s.detach()
	case s.phase == failed: // the error is that of the attempt; the next one is a new one
		s.phase = idle
	}
	s.answer(r, Response{}, err)
}

// outcome finds out whether an attempt to connect has ended. The stack keeps its error for SO_ERROR or the next connect.
func (s *stream) outcome() {
	fds := []socketapi.PollFd{{Fd: s.fd, Events: poll.Out}}
	if n, err := s.stack.Poll(fds, 0); n == 0 || err != nil {
		return
	}
	if _, err := s.stack.GetPeerName(s.fd); err == nil {
		s.phase = established
		return
	}
	s.phase = failed
	s.detach() // the program's poll shows the error, because the stuffing is unread
}

// shutdown handles OpShutdown. That of a connection happens when the pair is drained.
func (s *stream) shutdown(how int) error {
	if s.phase != established || s.end < 0 {
		return s.stack.Shutdown(s.fd, how)
	}
	_, err := s.stack.GetPeerName(s.fd) // ENOTCONN
	s.shut = s.shut || err == nil && how == unix.SHUT_RDWR
	return err
}

// close implements socket: the client has gone, which is as if its program had been killed.
func (s *stream) close() { s.post(s.closeNow) }

// closeNow closes both ends.
func (s *stream) closeNow() {
	if s.closed {
		return
	}
	s.closed = true
	s.forget()
	if s.watch != nil {
		s.watch.Stop()
	}
	s.detach()
	for _, a := range s.returned {
		a.so.close()
	}
	if s.lingers.Load() {
		go s.stack.Close(s.fd)
		return
	}
	s.stack.Close(s.fd)
}

// abort closes the connection with a reset.
func (s *stream) abort() {
	_ = s.stack.SetSockOpt(s.fd, socketapi.SOL_SOCKET, socketapi.SO_LINGER, socketapi.Linger{Onoff: 1}) // no TCP socket refuses it
	s.closeNow()
}

// hungUp reports whether the program has closed its end.
func (s *stream) hungUp() bool {
	if s.shut || s.end < 0 {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(s.end)}}
	n, _ := unix.Poll(fds, 0)
	return n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

// fail reports an error of the network to the program.
func (s *stream) fail(errno syscall.Errno) {
	s.phase, s.inDone = failed, true
	s.pending.Store(int32(errno))
	s.out.put(&Response{Op: OpReset, Socket: s.id})
}
