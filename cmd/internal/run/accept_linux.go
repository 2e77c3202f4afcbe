package run

import (
	"time"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

// listen handles listen(2). A listener is never writable.
func (s *Supervisor) listen(c notify.Call, so *socket, file int) *reply {
	if !so.stream {
		return failed(unix.EOPNOTSUPP)
	}
	so.mu.Lock()
	defer so.mu.Unlock()
	if _, err := s.do(so, sockets.Request{Op: sockets.OpListen, Args: [3]int{int(int32(c.Args[1]))}}, -1); err != nil {
		return failed(err)
	}
	if so.listening {
		return &reply{}
	}
	so.listening = true
	if so.attached { // by bind
		stuff(file)
		return &reply{}
	}
	return returned(0, s.attach(so, file, true))
}

// accept handles accept(2) and accept4(2). A blocking one waits until the listener is readable.
func (s *Supervisor) accept(c notify.Call, so *socket, file int) *reply {
	flags := 0
	if c.Nr == unix.SYS_ACCEPT4 {
		flags = int(int32(c.Args[3]))
	}
	switch {
	case flags&^(unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC) != 0:
		return failed(unix.EINVAL)
	case !so.stream:
		return failed(unix.EOPNOTSUPP)
	}
	var end time.Time
	wait := blocking(file)
	if wait {
		end = deadline(file, unix.SO_RCVTIMEO)
	}
	for {
		r, err := s.take(so, file)
		switch {
		case err == nil:
			return delivered(s.deliver(c, so, r, flags))
		case err != unix.EAGAIN || !wait:
			return failed(err)
		}
		if err := s.waitFor(c, file, unix.POLLIN, end); err != nil {
			return failed(err)
		}
	}
}

// take takes a connection from the listener, and with the last one the byte from its pair.
func (s *Supervisor) take(so *socket, file int) (sockets.Response, error) {
	so.accepting.Lock()
	defer so.accepting.Unlock()
	r, err := s.do(so, sockets.Request{Op: sockets.OpAccept}, -1)
	if r.Empty {
		var b [1]byte
		_, _, _ = unix.Recvfrom(file, b[:], unix.MSG_DONTWAIT) // EAGAIN: a program that reads from a listener has taken it
	}
	return r, err
}

// deliver puts an accepted connection into the program, which ends the call. If it fails, the connection goes back to the listener.
func (s *Supervisor) deliver(c notify.Call, l *socket, r sockets.Response, flags int) (err error) {
	s.sweep()
	so := &socket{id: r.Socket, domain: l.domain, stream: true, protocol: l.protocol, joined: true, attached: true}
	defer func() {
		if err != nil {
			s.remove(so)
			_, _ = s.do(l, sockets.Request{Op: sockets.OpUnaccept, Args: [3]int{int(r.Socket)}, Addr: r.Addr}, -1) // or the listener has gone
		}
	}()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags&unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	for _, end := range pair {
		if err := unix.SetsockoptInt(end, unix.SOL_SOCKET, unix.SO_SNDBUF, pairBuffer); err != nil {
			return err
		}
	}
	if err := writeSockaddr(c.Thread, c.Args[1], c.Args[2], layoutSockaddr(l.domain, r.Addr, s.tables)); err != nil {
		return err
	}
	if err := s.add(so, pair[0]); err != nil {
		return err
	}
	fd, err := s.listener.ReturnFile(c, pair[0], flags&unix.SOCK_CLOEXEC != 0)
	if err != nil {
		return err
	}
	so.note(c.Thread, fd)
	_, _ = s.do(so, sockets.Request{Op: sockets.OpAttach}, pair[1]) // if the stack has gone, the program sees the close of its socket
	return nil
}
