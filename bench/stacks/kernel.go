package stacks

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sockets is the kernel as a network.
type sockets struct{}

// Listen makes a listener whose connections use CUBIC; the machine's default may be an algorithm that paces.
func (sockets) Listen(network, address string) (net.Listener, error) {
	cubic := func(_, _ string, c syscall.RawConn) (err error) {
		if control := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
		}); control != nil {
			return control
		}
		return err
	}
	config := net.ListenConfig{Control: cubic}
	return config.Listen(context.Background(), network, address)
}

func (sockets) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// kernel waits for its end of the link and uses the kernel's sockets.
func kernel(spec Spec) (network, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if link, err := netlink.LinkByName(inner(spec)); err == nil && link.Attrs().Flags&net.FlagUp != 0 {
			return sockets{}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// inner is the name of the interface at the stack's end.
func inner(spec Spec) string { return spec.Dev + "i" }

// vethQueueLen is the kernel's value for Ethernet; a veth does not use it.
const vethQueueLen = 1000

// attachKernel puts a pair of veth interfaces, or the bad link, between this namespace and that of pid.
func attachKernel(pid int, spec Spec) (detach func(), err error) {
	if spec.Impair {
		return attachImpaired(pid, spec)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = spec.Dev
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: inner(spec), PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(veth); err != nil {
		return nil, err
	}
	detach = func() {} // the interfaces end with the namespace
	if err := configure(spec.Dev, spec.Host.String(), 1500, vethQueueLen); err != nil {
		return detach, err
	}
	return detach, within(pid, func() error {
		return configure(inner(spec), netip.PrefixFrom(spec.Addr, spec.Host.Bits()).String(), 1500, vethQueueLen)
	})
}
