package run

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

const typeMask = 0xf // the type in socket(2)'s second argument, below the flags

// pairBuffer is the send buffer in bytes of both ends of a pair, with which a pair is fastest.
const pairBuffer = 256 << 10

// datagramBuffer is the send buffer of the program's end of a datagram socket, of which the kernel makes twice as many bytes: a datagram
// that is longer than UDP's longest fails with EMSGSIZE, for which it needs 32 bytes more.
const datagramBuffer = (65507 + 32 + 1) / 2

// create handles socket(2).
func (s *Supervisor) create(c notify.Call) *reply {
	domain, typ, protocol := int(int32(c.Args[0])), int(int32(c.Args[1])), int(int32(c.Args[2]))
	if domain == unix.AF_NETLINK {
		return s.createNetlink(c, typ)
	}
	so := &socket{domain: domain, stream: typ&typeMask == unix.SOCK_STREAM, protocol: protocol}
	s.sweep()
	file, ours, err := so.pair(typ & unix.SOCK_NONBLOCK)
	if err != nil {
		return failed(err)
	}
	defer unix.Close(file)
	r, err := s.client.Do(sockets.Request{Op: sockets.OpSocket, Args: [3]int{domain, typ & typeMask, protocol}}, so.stackEnd(ours))
	if err != nil {
		so.closeEnds(ours)
		return failed(err)
	}
	so.id = r.Socket
	if ours != nil {
		if so.datagrams, err = newDatagramPair(s, so, ours); err != nil {
			s.close(so)
			return failed(err)
		}
	}
	if err := s.add(so, file); err != nil {
		s.close(so)
		return failed(err)
	}
	fd, err := s.listener.ReturnFile(c, file, typ&unix.SOCK_CLOEXEC != 0)
	if err != nil {
		s.remove(so)
		s.close(so)
		return delivered(err)
	}
	so.note(c.Thread, fd)
	return nil
}

// ends are the descriptors of a datagram socket that the program does not have.
type ends struct {
	pair  int // the other end of the program's
	stack int // one end of the pair to the stack, and
	ours  int // its other end
}

// pair makes the program's end of a socket. That of a stream is not connected, so that it polls OUT|HUP as an unconnected TCP socket does.
func (so *socket) pair(nonblock int) (file int, _ *ends, err error) {
	if so.stream {
		file, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|nonblock, 0)
		return file, nil, err
	}
	program, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|nonblock, 0)
	if err != nil {
		return -1, nil, err
	}
	stack, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		unix.Close(program[0])
		unix.Close(program[1])
		return -1, nil, err
	}
	e := &ends{pair: program[1], stack: stack[0], ours: stack[1]}
	if err := unix.SetsockoptInt(program[0], unix.SOL_SOCKET, unix.SO_SNDBUF, datagramBuffer); err != nil {
		unix.Close(program[0])
		so.closeEnds(e)
		return -1, nil, err
	}
	return program[0], e, nil
}

// stackEnd is the descriptor that goes to the stack; -1: none.
func (so *socket) stackEnd(e *ends) int {
	if e == nil {
		return -1
	}
	return e.stack
}

func (so *socket) closeEnds(e *ends) {
	if e != nil {
		unix.Close(e.pair)
		unix.Close(e.stack)
		unix.Close(e.ours)
	}
}

// close closes the stack's socket of one that the program does not have.
func (s *Supervisor) close(so *socket) {
	if so.datagrams != nil {
		so.datagrams.close()
		return // which closes the stack's, too
	}
	_, _ = s.do(so, sockets.Request{Op: sockets.OpClose}, -1) // EBADF: closed already
}

// bind handles bind(2).
func (s *Supervisor) bind(c notify.Call, so *socket, file int) *reply {
	a, err := readSockaddr(c.Thread, c.Args[1], uint32(c.Args[2]), so.domain, s.tables)
	if err != nil {
		return failed(err)
	}
	so.mu.Lock()
	defer so.mu.Unlock()
	if err := s.bindTo(so, a); err != nil {
		return failed(err)
	}
	if !so.stream || so.attached {
		return &reply{}
	}
	return returned(0, s.attach(so, file, false)) // so that the port is free again when the program closes the socket
}

// Tries of a bind to an address that is in use, perhaps by a socket that the program has closed a moment ago.
const (
	bindTries = 5
	bindPause = 2 * time.Millisecond
)

func (s *Supervisor) bindTo(so *socket, a netip.AddrPort) (err error) {
	for range bindTries {
		_, err = s.do(so, sockets.Request{Op: sockets.OpBind, Addr: a}, -1)
		if err != unix.EADDRINUSE {
			break
		}
		time.Sleep(bindPause)
	}
	return err
}

// getsockname handles getsockname(2).
func (s *Supervisor) getsockname(c notify.Call, so *socket, _ int) *reply {
	return s.name(c, so, sockets.OpName)
}

// getpeername handles getpeername(2).
func (s *Supervisor) getpeername(c notify.Call, so *socket, _ int) *reply {
	return s.name(c, so, sockets.OpPeer)
}

func (s *Supervisor) name(c notify.Call, so *socket, op sockets.Op) *reply {
	r, err := s.do(so, sockets.Request{Op: op}, -1)
	if err == nil {
		err = writeSockaddr(c.Thread, c.Args[1], c.Args[2], layoutSockaddr(so.domain, r.Addr, s.tables))
	}
	return returned(0, err)
}

// shutdown handles shutdown(2). The stack says whether it may. Then the kernel shuts the program's end, which the stack sees behind the
// data in the pair.
func (s *Supervisor) shutdown(c notify.Call, so *socket, _ int) *reply {
	how := int(int32(c.Args[1]))
	so.mu.Lock()
	defer so.mu.Unlock()
	if how < unix.SHUT_RD || how > unix.SHUT_RDWR {
		return failed(unix.EINVAL)
	}
	if _, err := s.do(so, sockets.Request{Op: sockets.OpShutdown, Args: [3]int{how}}, -1); err != nil {
		return failed(err)
	}
	if so.stream && how == unix.SHUT_RDWR {
		so.attached = false // the pair cannot show the close any more: sweep finds it
	}
	return proceed
}
