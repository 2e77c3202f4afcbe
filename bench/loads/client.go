package loads

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
)

// patience bounds every blocking call of the client.
const patience = 5 * time.Second

// PrepareNamespace sets the parameters of a new network namespace and of this process for all loads.
func PrepareNamespace() error {
	if err := netns.SetupLoopback(); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"tcp_congestion_control": "reno", // a default of bbr paces
		"tcp_no_metrics_save":    "1",    // otherwise one cell learns from another
		"ip_local_port_range":    "1024 65535",
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil {
			return err
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// dial connects a blocking TCP socket to a port of the target.
func dial(t Target, port int) (fd int, err error) { return dialFrom(netip.AddrPort{}, t, port) }

// dialFrom is dial with the client's own address and port; the zero AddrPort leaves them to the kernel.
func dialFrom(own netip.AddrPort, t Target, port int) (fd int, err error) {
	fd, err = socket(t, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if own.IsValid() {
		if err := unix.Bind(fd, sockaddr(own.Addr(), int(own.Port()))); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("bind", err)
		}
	}
	if err := finishConnect(fd, t.Addr, port); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to port %d: %w", port, err)
	}
	return fd, nil
}

// finishConnect connects in spite of the signals by which Go's scheduler interrupts calls.
func finishConnect(fd int, a netip.Addr, port int) error {
	for {
		switch err := unix.Connect(fd, sockaddr(a, port)); err {
		case unix.EINTR:
		case unix.EISCONN:
			return nil
		default:
			return err
		}
	}
}

// dialCubic is dial with CUBIC as the congestion control if the kernel allows it; otherwise with the namespace's reno.
func dialCubic(t Target, port int) (fd int, err error) {
	fd, err = dial(t, port)
	if err == nil {
		unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	}
	return fd, err
}

// socket makes a blocking socket of the target's version of IP whose calls time out after patience.
func socket(t Target, typ, proto int) (fd int, err error) {
	domain := unix.AF_INET
	if t.Addr.Is6() {
		domain = unix.AF_INET6
	}
	fd, err = unix.Socket(domain, typ|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	return fd, setPatience(fd, patience)
}

func setPatience(fd int, d time.Duration) error {
	t := unix.NsecToTimeval(int64(d))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &t); err != nil {
		return err
	}
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &t)
}

func sockaddr(a netip.Addr, port int) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16(), Port: port}
	}
	return &unix.SockaddrInet4{Addr: a.As4(), Port: port}
}

// resetOnClose makes close send a reset, which leaves no state behind. Otherwise the unsent data stay in the kernel for minutes
// after the stack has ended, and above tcp_mem's first limit send buffers do not grow any more.
func resetOnClose(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func resetAll(fds []int) {
	for _, fd := range fds {
		resetOnClose(fd)
		unix.Close(fd)
	}
}
