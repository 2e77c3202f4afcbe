package sockdiff

import (
	"log/slog"
	"net/netip"
	"time"

	"tunstack/socketapi"
)

// stack makes the socket calls of a stack with only a loopback, in virtual time.
type stack struct {
	socketapi.Berkeley
}

func newStack() (stack, error) {
	s, err := socketapi.New(socketapi.Config{Clock: new(socketapi.VirtualClock), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return stack{}, err
	}
	return stack{s.Berkeley()}, nil
}

// Ports implements calls.
func (s stack) Ports() uint16 { return firstPort }

// Pause implements calls.
func (s stack) Pause(d time.Duration) { s.Advance(s.Now() + d) }

// Socket implements calls.
func (s stack) Socket(typ, proto int) (int, error) {
	return s.Berkeley.Socket(socketapi.AF_INET, typ|socketapi.SOCK_NONBLOCK, proto)
}

// Accept implements calls. The new socket is made non-blocking.
func (s stack) Accept(fd int) (int, netip.AddrPort, error) {
	n, peer, err := s.Berkeley.Accept(fd)
	if err == nil {
		_, err = s.Fcntl(n, socketapi.F_SETFL, socketapi.O_NONBLOCK)
	}
	return n, peer, err
}

// Send implements calls.
func (s stack) Send(fd int, b []byte, flags int, to netip.AddrPort) (int, error) {
	return s.SendTo(fd, b, flags, to)
}

// Recv implements calls.
func (s stack) Recv(fd int, b []byte, flags int) (n, outFlags int, from netip.AddrPort, err error) {
	n, m, err := s.RecvMsg(fd, b, flags)
	return n, m.Flags, m.Addr, err
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
