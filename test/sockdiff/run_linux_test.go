package sockdiff

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/ipv4"
)

// calls are the socket calls of the kernel or of a stack.
type calls interface {
	Socket(domain, typ, proto int) (int, error)
	Bind(fd int, local netip.AddrPort) error
	Listen(fd, backlog int) error
	Accept(fd int) (int, netip.AddrPort, error)
	Connect(fd int, remote netip.AddrPort) error
	Shutdown(fd, how int) error
	Close(fd int) error
	Send(fd int, b []byte, flags int, to netip.AddrPort, with ancillary) (int, error)
	Recv(fd int, b []byte, flags int) (n, outFlags int, from netip.AddrPort, control string, err error)
	Poll(fd int) (int, error)
	Ioctl(fd, request int) (int, error)
	GetSockName(fd int) (netip.AddrPort, error)
	GetPeerName(fd int) (netip.AddrPort, error)
	SetSockOpt(fd, level, name int, value []byte) error
	GetSockOpt(fd, level, name int, value []byte) (int, error)

	// Pause gives the network time to deliver.
	Pause(d time.Duration)
	// Ports returns the first of the script's ports.
	Ports() (first uint16)
}

// runner runs a script on the kernel or a stack.
type runner struct {
	calls
	fds       [slots]int     // -1: no socket
	stuck     [slots]int     // unacknowledged bytes at the end of the last wait in settle
	ephemeral map[uint16]int // ports chosen by the system, in the order of their appearance
	sent      int            // bytes so far, so that every byte sent is different
	filled    bool           // there was a call of fill
	timeout   string         // SO_RCVTIMEO and SO_SNDTIMEO of new sockets, as in options; "": they do not block
}

// run returns the result of each call of the script. The sockets wait for timeout, as in options, or are non-blocking if it is "".
func run(c calls, s script, timeout string) []string {
	r := &runner{calls: c, ephemeral: map[uint16]int{}, timeout: timeout}
	for i := range r.fds {
		r.fds[i] = -1
	}
	defer func() {
		for _, fd := range r.fds {
			if fd >= 0 {
				_ = c.Close(fd)
			}
		}
	}()
	results := make([]string, len(s))
	for i, o := range s {
		results[i] = r.do(o)
		r.settle()
	}
	return results
}

// patience bounds settle's wait: it is longer than TCP_CORK holds data back. A full buffer keeps its bytes for ever.
func (r *runner) patience() int {
	if r.filled {
		return 10
	}
	return 300
}

// settle waits until all data sent has been acknowledged, unless an earlier wait for the same data was in vain.
func (r *runner) settle() {
	r.Pause(0)
	for range r.patience() {
		busy := false
		for i, fd := range r.fds {
			n := r.unacknowledged(fd)
			busy = busy || n > 0 && n != r.stuck[i]
		}
		if !busy {
			return
		}
		r.Pause(time.Millisecond)
	}
	for i, fd := range r.fds {
		r.stuck[i] = r.unacknowledged(fd)
	}
}

// unacknowledged is SIOCOUTQ, and 0 for sockets without it.
func (r *runner) unacknowledged(fd int) int {
	if fd < 0 || r.over(fd) {
		return 0
	}
	n, _ := r.Ioctl(fd, unix.SIOCOUTQ)
	return n
}

// over reports whether a socket is a TCP socket whose connection has ended.
func (r *runner) over(fd int) bool {
	var state [1]byte
	_, err := r.GetSockOpt(fd, unix.IPPROTO_TCP, unix.TCP_INFO, state[:])
	return err == nil && (state[0] == unix.BPF_TCP_CLOSE || state[0] == unix.BPF_TCP_TIME_WAIT)
}

// do makes one call and prints its results; "" for a slot without a socket.
func (r *runner) do(o op) string {
	if o.call == "socket" {
		return r.socket(o)
	}
	fd := r.fds[o.fd]
	if fd < 0 {
		return ""
	}
	where := netip.AddrPort{}
	if a := addresses[o.addr]; a.IsValid() {
		where = netip.AddrPortFrom(a, r.port(o.port))
	}
	switch o.call {
	case "bind":
		return show(r.Bind(fd, where))
	case "connect":
		return show(r.Connect(fd, where))
	case "listen":
		return show(r.Listen(fd, o.n))
	case "shutdown":
		return show(r.Shutdown(fd, o.n))
	case "accept":
		return r.accept(o, fd)
	case "close":
		r.fds[o.fd] = -1
		return show(r.Close(fd))
	case "send":
		return r.send(o, fd, where)
	case "recv":
		return r.recv(o, fd)
	case "fill":
		return r.fill(fd)
	case "drain":
		return r.drain(fd)
	}
	return r.look(o, fd)
}

// look makes the calls that read a socket's state and options.
func (r *runner) look(o op, fd int) string {
	switch o.call {
	case "poll":
		n, err := r.Poll(fd)
		return showEvents(n, err)
	case "FIONREAD":
		return showCount(r.Ioctl(fd, unix.TIOCINQ))
	case "SIOCOUTQ":
		if r.over(fd) {
			return "over" // Linux's counts then depend on how it ended
		}
		return showCount(r.Ioctl(fd, unix.SIOCOUTQ))
	case "SIOCATMARK":
		return showCount(r.Ioctl(fd, unix.SIOCATMARK))
	case "getsockname":
		a, err := r.GetSockName(fd)
		return r.showAddr(a, err)
	case "getpeername":
		a, err := r.GetPeerName(fd)
		return r.showAddr(a, err)
	case "setsockopt":
		opt := options[o.opt]
		return show(r.SetSockOpt(fd, opt.level, opt.name, layout(o.value)))
	case "getsockopt":
		opt := options[o.opt]
		b := make([]byte, opt.size)
		n, err := r.GetSockOpt(fd, opt.level, opt.name, b)
		if err != nil {
			return show(err)
		}
		if o.opt == "SO_ERROR" {
			return showError(b)
		}
		return unlayout(opt, b[:n])
	}
	panic("unknown call " + o.call)
}

// rawProtocol is the protocol of raw sockets: one for experiments (RFC 3692).
const rawProtocol = 253

// kinds are the domain, the type and the protocol of sockets.
var kinds = map[string][3]int{
	"tcp": {unix.AF_INET, unix.SOCK_STREAM, 0}, "udp": {unix.AF_INET, unix.SOCK_DGRAM, 0}, "raw": {unix.AF_INET, unix.SOCK_RAW, rawProtocol},
	"tcp6": {unix.AF_INET6, unix.SOCK_STREAM, 0}, "udp6": {unix.AF_INET6, unix.SOCK_DGRAM, 0}, "raw6": {unix.AF_INET6, unix.SOCK_RAW, rawProtocol},
}

func (r *runner) socket(o op) string {
	if r.fds[o.fd] >= 0 {
		_ = r.Close(r.fds[o.fd])
	}
	kind := kinds[o.kind]
	fd, err := r.Socket(kind[0], kind[1], kind[2])
	r.fds[o.fd] = fd
	if r.timeout != "" && err == nil {
		err = errors.Join(r.SetSockOpt(fd, sol, unix.SO_RCVTIMEO, layout(r.timeout)), r.SetSockOpt(fd, sol, unix.SO_SNDTIMEO, layout(r.timeout)))
	}
	return show(err)
}

func (r *runner) accept(o op, fd int) string {
	n, peer, err := r.Accept(fd)
	if err != nil {
		return show(err)
	}
	if r.fds[o.to] >= 0 {
		_ = r.Close(r.fds[o.to])
	}
	r.fds[o.to] = n
	return r.showAddr(peer, nil)
}

func (r *runner) send(o op, fd int, to netip.AddrPort) string {
	b := make([]byte, o.n)
	for i := range b {
		b[i] = 'a' + byte((r.sent+i)%26)
	}
	r.sent += o.n
	return showCount(r.Send(fd, b, o.flags, to, ancillaries[o.with]))
}

func (r *runner) recv(o op, fd int) string {
	b := make([]byte, o.n)
	n, flags, from, control, err := r.Recv(fd, b, o.flags)
	if err != nil {
		return show(err)
	}
	if from.Addr().Is4() && from.Port() == 0 && n >= ipv4.HeaderLen && len(b) >= ipv4.HeaderLen {
		clear(b[4:8]) // of a raw socket: identification, DF
		clear(b[10:12])
	}
	text := fmt.Sprintf("%d %q", n, b[:min(n, len(b))])
	if o.flags&unix.MSG_TRUNC != 0 { // for a stream the buffer is not written
		text = fmt.Sprint(n)
	}
	if flags &= unix.MSG_OOB | unix.MSG_TRUNC; flags != 0 {
		text += " " + flagString(flags)
	}
	if from.IsValid() {
		text += " " + r.showAddr(from, nil)
	}
	if len(b) == 0 { // then the kernel was not asked
		return text
	}
	return text + control
}

// port is the port for a number in the script.
func (r *runner) port(n int) uint16 {
	if n == 0 {
		return 0
	}
	return r.Ports() + uint16(n) - 1
}

func (r *runner) showAddr(a netip.AddrPort, err error) string {
	if err != nil {
		return show(err)
	}
	first := r.Ports()
	switch p := a.Port(); {
	case p == 0:
		return a.Addr().String() + ":0"
	case p == rawProtocol:
		return a.Addr().String() + ":protocol"
	case p >= first && p < first+scriptPorts:
		return fmt.Sprintf("%s:p%d", a.Addr(), p-first+1)
	case r.ephemeral[p] == 0:
		r.ephemeral[p] = len(r.ephemeral) + 1
		fallthrough
	default:
		return fmt.Sprintf("%s:e%d", a.Addr(), r.ephemeral[p])
	}
}

func show(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

func showCount(n int, err error) string {
	if err != nil {
		return show(err)
	}
	return fmt.Sprint(n)
}

func showError(b []byte) string {
	if n := unlayout(sockopt{size: 4}, b); n != "0" {
		return unix.ErrnoName(syscall.Errno(b[0]))
	}
	return "0"
}

func showEvents(n int, err error) string {
	if err != nil {
		return show(err)
	}
	var s []string
	for _, e := range []struct {
		bit  int
		name string
	}{{unix.POLLIN, "IN"}, {unix.POLLPRI, "PRI"}, {unix.POLLOUT, "OUT"}, {unix.POLLERR, "ERR"}, {unix.POLLHUP, "HUP"}, {unix.POLLRDHUP, "RDHUP"}} {
		if n&e.bit != 0 {
			s = append(s, e.name)
		}
	}
	return strings.Join(s, "|")
}
