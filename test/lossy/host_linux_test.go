package lossy

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/packet"
	"tunstack/socketapi"
	"tunstack/tun"
)

// host is one end of the wire.
type host interface {
	listen(addr string) (net.Listener, error)
	dial(ctx context.Context, addr string) (net.Conn, error)
}

// maker makes a host with an address, and returns the device that its packets cross.
type maker func(t *testing.T, addr netip.Prefix) (host, tun.Device)

// stackHost is this stack.
type stackHost struct{ *socketapi.Stack }

func newStack(t *testing.T, addr netip.Prefix) (host, tun.Device) {
	ours, wire := tun.Pipe(tun.DefaultMTU, tun.TUN, packet.Features{})
	s, err := socketapi.New(socketapi.Config{Logger: slog.New(slog.DiscardHandler),
		Interfaces: []socketapi.Interface{{Device: ours, Addrs: []netip.Prefix{addr}}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return stackHost{s}, wire
}

func (s stackHost) listen(addr string) (net.Listener, error) { return s.Listen("tcp", addr) }
func (s stackHost) dial(ctx context.Context, addr string) (net.Conn, error) {
	return s.DialContext(ctx, "tcp", addr)
}

// kernelHost is a network namespace with a thread in it. The thread calls the functions sent to the channel.
type kernelHost chan func()

func newKernel(t *testing.T, addr netip.Prefix) (host, tun.Device) {
	k := make(kernelHost)
	entered := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine, and the namespace with the thread
		entered <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range k {
			f()
		}
	}()
	require.NoError(t, <-entered)
	t.Cleanup(func() { close(k) })
	var d tun.Device
	var err error
	k.do(func() {
		// IPv6 packets would be lost in place of ours. IPv6 may be missing.
		os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		d, err = tun.Open(tun.Config{Name: "wire", Driver: "linux", Hosts: []netip.Prefix{addr}})
	})
	require.NoError(t, err)
	return k, d
}

func (k kernelHost) do(f func()) {
	done := make(chan struct{})
	k <- func() {
		f()
		close(done)
	}
	<-done
}

func (k kernelHost) listen(addr string) (l net.Listener, err error) {
	k.do(func() { l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp4", addr) })
	return l, err
}

func (k kernelHost) dial(ctx context.Context, addr string) (c net.Conn, err error) {
	k.do(func() { c, err = (&net.Dialer{Control: cubic}).DialContext(ctx, "tcp4", addr) })
	return c, err
}

// cubic makes a kernel's socket use the stack's default congestion control.
func cubic(_, _ string, raw syscall.RawConn) error {
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	}); e != nil {
		return e
	}
	return err
}
