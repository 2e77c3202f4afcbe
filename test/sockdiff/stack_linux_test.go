package sockdiff

import (
	"log/slog"
	"net/netip"
	"testing/synctest"
	"time"

	"tunstack/socketapi"
)

// stack makes the socket calls of a stack with only a loopback, in virtual time.
type stack struct {
	socketapi.Berkeley
	blocking bool // sockets are blocking: the test runs in a bubble of synctest
}

func newStack(blocking bool) (stack, error) {
	s, err := socketapi.New(socketapi.Config{Clock: new(socketapi.VirtualClock), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return stack{}, err
	}
	return stack{s.Berkeley(), blocking}, nil
}

// Ports implements calls.
func (s stack) Ports() uint16 { return firstPort }

// Pause implements calls.
func (s stack) Pause(d time.Duration) { s.Advance(s.Now() + d) }

// during makes a call that may block. Time passes while it does.
func (s stack) during(call func()) {
	if !s.blocking {
		call()
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); call() }()
	for {
		synctest.Wait()
		select {
		case <-done:
			return
		default:
			s.Pause(time.Millisecond)
		}
	}
}

// Socket implements calls.
func (s stack) Socket(domain, typ, proto int) (int, error) {
	if !s.blocking {
		typ |= socketapi.SOCK_NONBLOCK
	}
	return s.Berkeley.Socket(domain, typ, proto)
}

// Accept implements calls. The new socket blocks if the listener does.
func (s stack) Accept(fd int) (n int, peer netip.AddrPort, err error) {
	s.during(func() { n, peer, err = s.Berkeley.Accept(fd) })
	if err == nil && !s.blocking {
		_, err = s.Fcntl(n, socketapi.F_SETFL, socketapi.O_NONBLOCK)
	}
	return n, peer, err
}

// Connect implements calls.
func (s stack) Connect(fd int, remote netip.AddrPort) (err error) {
	s.during(func() { err = s.Berkeley.Connect(fd, remote) })
	return err
}

// Close implements calls.
func (s stack) Close(fd int) (err error) {
	s.during(func() { err = s.Berkeley.Close(fd) })
	return err
}

// Send implements calls.
func (s stack) Send(fd int, b []byte, flags int, to netip.AddrPort, with ancillary) (n int, err error) {
	m := with.message()
	m.Addr = to
	s.during(func() { n, err = s.SendMsg(fd, b, m, flags) })
	return n, err
}

// Recv implements calls.
func (s stack) Recv(fd int, b []byte, flags int) (n, outFlags int, from netip.AddrPort, control string, err error) {
	var m socketapi.Message
	s.during(func() { n, m, err = s.RecvMsg(fd, b, flags) })
	return n, m.Flags, m.Addr, s.controlText(fd, &m), err
}

// Poll implements calls.
func (s stack) Poll(fd int) (int, error) {
	fds := []socketapi.PollFd{{Fd: fd, Events: socketapi.POLLIN | socketapi.POLLPRI | socketapi.POLLOUT | socketapi.POLLRDHUP}}
	_, err := s.Berkeley.Poll(fds, 0)
	return int(fds[0].Revents), err
}

// Ioctl implements calls.
func (s stack) Ioctl(fd, request int) (int, error) { return s.Berkeley.Ioctl(fd, request, 0) }

// SetSockOpt implements calls.
func (s stack) SetSockOpt(fd, level, name int, value []byte) error {
	return s.Berkeley.SetSockOpt(fd, level, name, value)
}

// GetSockOpt implements calls.
func (s stack) GetSockOpt(fd, level, name int, value []byte) (int, error) {
	return s.Berkeley.GetSockOpt(fd, level, name, value)
}
