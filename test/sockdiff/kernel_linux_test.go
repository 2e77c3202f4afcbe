package sockdiff

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
)

// The kernel's ports for scripts are below its ephemeral ones. Each run has its own ports, so that no TIME-WAIT of an earlier
// run blocks them; when all are used up, a new namespace begins.
const (
	firstPort   = 2048
	lastPort    = 32000
	scriptPorts = 3
)

// kernel makes the kernel's socket calls. The goroutine that uses it is locked to its thread.
type kernel struct {
	port     uint16
	blocking bool // sockets are blocking
}

// renew allocates the next run's ports.
func (k *kernel) renew() error {
	if k.port += scriptPorts; k.port >= firstPort+scriptPorts && k.port < lastPort {
		return nil
	}
	k.port = firstPort
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a new network namespace: %w", err)
	}
	return netns.SetupLoopback()
}

// Ports implements calls.
func (k *kernel) Ports() uint16 { return k.port }

// Pause implements calls.
func (k *kernel) Pause(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
}

// flags are the flags of a new socket.
func (k *kernel) flags() int {
	if k.blocking {
		return unix.SOCK_CLOEXEC
	}
	return unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
}

// Socket implements calls.
func (k *kernel) Socket(domain, typ, proto int) (int, error) {
	return unix.Socket(domain, typ|k.flags(), proto)
}

// loopback is the number of the only interface.
const loopback = 1

// sockaddr is an address in the form for a socket.
func sockaddr(fd int, a netip.AddrPort) unix.Sockaddr {
	if domain, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); a.Addr().Is4() && domain == unix.AF_INET {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	sa := &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	if a.Addr().Zone() != "" {
		sa.ZoneId = loopback
	}
	return sa
}

func addrPort(sa unix.Sockaddr, err error) (netip.AddrPort, error) {
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch in := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)), nil
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(in.Addr)
		if in.ZoneId == loopback {
			a = a.WithZone("lo")
		}
		return netip.AddrPortFrom(a, uint16(in.Port)), nil
	}
	return netip.AddrPort{}, nil
}

// Bind implements calls.
func (k *kernel) Bind(fd int, local netip.AddrPort) error { return unix.Bind(fd, sockaddr(fd, local)) }

// Listen implements calls.
func (k *kernel) Listen(fd, backlog int) error { return unix.Listen(fd, backlog) }

// Accept implements calls.
func (k *kernel) Accept(fd int) (int, netip.AddrPort, error) {
	n, sa, err := unix.Accept4(fd, k.flags())
	peer, err := addrPort(sa, err)
	return n, peer, err
}

// Connect implements calls.
func (k *kernel) Connect(fd int, remote netip.AddrPort) error {
	if remote.IsValid() {
		return unix.Connect(fd, sockaddr(fd, remote))
	}
	var unspec unix.RawSockaddrInet4
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspec)), unsafe.Sizeof(unspec))
	if errno != 0 {
		return errno
	}
	return nil
}

// Shutdown implements calls.
func (k *kernel) Shutdown(fd, how int) error { return unix.Shutdown(fd, how) }

// Close implements calls.
func (k *kernel) Close(fd int) error { return unix.Close(fd) }

// Send implements calls.
func (k *kernel) Send(fd int, b []byte, flags int, to netip.AddrPort, with ancillary) (int, error) {
	var sa unix.Sockaddr
	if to.IsValid() {
		sa = sockaddr(fd, to)
	}
	return unix.SendmsgN(fd, b, with.messages(fd), sa, flags)
}

// Recv implements calls.
func (k *kernel) Recv(fd int, b []byte, flags int) (n, outFlags int, from netip.AddrPort, control string, err error) {
	var messages []byte
	if len(b) > 0 { // else package unix receives a byte of its own
		messages = make([]byte, 512)
	}
	n, oobn, outFlags, sa, err := unix.Recvmsg(fd, b, messages, flags)
	from, err = addrPort(sa, err)
	return n, outFlags, from, controlText(messages[:max(oobn, 0)]), err
}

// Poll implements calls.
func (k *kernel) Poll(fd int) (int, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLPRI | unix.POLLOUT | unix.POLLRDHUP}}
	_, err := unix.Poll(fds, 0)
	return int(fds[0].Revents), err
}

// Ioctl implements calls.
func (k *kernel) Ioctl(fd, request int) (int, error) { return unix.IoctlGetInt(fd, uint(request)) }

// GetSockName implements calls.
func (k *kernel) GetSockName(fd int) (netip.AddrPort, error) { return addrPort(unix.Getsockname(fd)) }

// GetPeerName implements calls.
func (k *kernel) GetPeerName(fd int) (netip.AddrPort, error) { return addrPort(unix.Getpeername(fd)) }

// SetSockOpt implements calls.
func (k *kernel) SetSockOpt(fd, level, name int, value []byte) error {
	return unix.SetsockoptString(fd, level, name, string(value))
}

// GetSockOpt implements calls.
func (k *kernel) GetSockOpt(fd, level, name int, value []byte) (int, error) {
	size := uint32(len(value))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(size), nil
}
