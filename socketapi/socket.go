package socketapi

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
)

// endpoint is the protocol's part of a socket: stream, datagram or raw. Its methods do not block: a method that would have to wait
// fails with EAGAIN.
type endpoint interface {
	Bind(local netip.AddrPort) error
	Connect(remote netip.AddrPort) error
	Shutdown(read, write bool) error
	Close() error
	Abort()
	Linger() (on bool, d time.Duration)
	Lingering() bool
	Listen(backlog int) error
	Local() netip.AddrPort
	Remote() (netip.AddrPort, bool)
	Ready() poll.Mask
	Waiters() *poll.WaitList
	TakeError() error
	PathMTU() (int, error)

	accept() (endpoint, error)
	send(b []byte, e envelope, flags int) (int, error)
	recv(b []byte, flags int) (int, Message, error)
	buffered() (in, out int, err error)
	atMark() (bool, error)
	options() map[optname]option
	recvError() (errqueue.Error, error)
	ip() ip.SocketOptions
	setIP(change func(*ip.SocketOptions))
	datagrams() *dgram.Socket // nil for a stream
}

// socket is the object of a descriptor: an endpoint, and the state of blocking calls.
type socket struct {
	endpoint
	stack  *Stack
	fd     int
	cookie uint64 // SO_COOKIE

	domain, typ, proto uint16
	nonblock           atomic.Bool // O_NONBLOCK
	closed             atomic.Bool
	rd, wr             direction
	rcvLowat           atomic.Int32 // SO_RCVLOWAT of a stream; 0: 1
	inq                atomic.Bool  // TCP_INQ
	timestamp          atomic.Int32 // which of SO_TIMESTAMP and SO_TIMESTAMPNS is on; 0: none

	mu     sync.Mutex
	values []value // stored options: see keep. It is never changed, only replaced, because accepted sockets share it
}

// Socket opens a socket of AF_INET or AF_INET6. typ is SOCK_STREAM, SOCK_DGRAM or SOCK_RAW, perhaps with SOCK_NONBLOCK. Errors: EBADF when
// the stack is closed, EAFNOSUPPORT, EINVAL for an unknown type, EPROTONOSUPPORT.
func (s Berkeley) Socket(domain, typ, proto int) (fd int, err error) {
	v, ok := versions[domain]
	if !ok {
		return -1, syscall.EAFNOSUPPORT
	}
	so, err := s.open(v, typ&^(SOCK_NONBLOCK|SOCK_CLOEXEC), proto)
	if err != nil {
		return -1, err
	}
	so.nonblock.Store(typ&SOCK_NONBLOCK != 0)
	return so.fd, nil
}

// versions are the versions of IP that a socket of an address family uses.
var versions = map[int]ip.Versions{AF_INET: ip.V4, AF_INET6: ip.Dual}

// install makes a socket with the endpoint ep and gives it a descriptor.
func (s *Stack) install(domain, typ, proto int, ep endpoint) (*socket, error) {
	so := &socket{endpoint: ep, stack: s, domain: uint16(domain), typ: uint16(typ), proto: uint16(proto), cookie: s.cookies.Add(1)}
	so.rd.mask, so.wr.mask = poll.In|poll.RdHup, poll.Out
	if err := s.sockets.add(so); err != nil {
		ep.Close()
		return nil, err
	}
	return so, nil
}

// Close closes a descriptor. Calls blocked on it return EBADF. A stream's queued data is still delivered in the
// background; with SO_LINGER and a time, Close waits that long for it to be acknowledged, and with time zero the
// connection is reset. Errors: EBADF.
func (s Berkeley) Close(fd int) error {
	so, err := s.sockets.get(fd)
	if err != nil {
		return err
	}
	return so.close()
}

func (so *socket) close() error {
	if !so.stack.sockets.remove(so) {
		return syscall.EBADF
	}
	so.closed.Store(true)
	err := so.endpoint.Close()
	so.wake()
	so.linger()
	return err
}

// linger waits until the sent data is acknowledged or the time of SO_LINGER has passed.
func (so *socket) linger() {
	on, d := so.Linger()
	if !on || d == 0 {
		return
	}
	until := so.stack.Now() + d
	so.await(poll.Hup|poll.Delivered, func() time.Duration { return until }, func() bool { return !so.Lingering() })
}

// abort closes a socket of a stack that stops. It resets a connection, because the stack will not answer the peer any more.
func (so *socket) abort() {
	so.closed.Store(true)
	so.Abort()
	so.endpoint.Close()
	so.wake()
}

// Fcntl implements F_GETFL and F_SETFL, which can change O_NONBLOCK only. Errors: EBADF, EINVAL.
func (s Berkeley) Fcntl(fd, cmd, arg int) (int, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, err
	}
	switch cmd {
	case F_GETFL:
		if so.nonblock.Load() {
			return O_RDWR | O_NONBLOCK, nil
		}
		return O_RDWR, nil
	case F_SETFL:
		so.nonblock.Store(arg&O_NONBLOCK != 0)
		return 0, nil
	}
	return -1, syscall.EINVAL
}

// Ioctl implements FIONREAD and TIOCOUTQ, which return a number of bytes, SIOCATMARK, which returns 0 or 1, and FIONBIO. Errors: EBADF, ENOTTY,
// EINVAL for FIONREAD or TIOCOUTQ of a listener.
func (s Berkeley) Ioctl(fd, request, arg int) (int, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, err
	}
	switch request {
	case FIONREAD:
		in, _, err := so.buffered()
		return in, err
	case TIOCOUTQ:
		_, out, err := so.buffered()
		return out, err
	case SIOCATMARK:
		at, err := so.atMark()
		if err != nil {
			return -1, err
		}
		return bit(at), nil
	case FIONBIO:
		so.nonblock.Store(arg != 0)
		return 0, nil
	}
	return -1, syscall.ENOTTY
}
