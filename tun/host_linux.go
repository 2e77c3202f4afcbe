package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// upTimeout bounds the wait for a link to come up, which normally takes microseconds.
const upTimeout = 5 * time.Second

// goneTimeout bounds the wait for the kernel to remove the veth pair of a killed process.
const goneTimeout = 2 * time.Second

// checkFree returns an error if an interface of this name exists: a TUN device that another program uses, a persistent one, or an
// interface of another type. The kernel removes the veth pair of a process a moment after the process has ended: with the veth driver checkFree
// waits for that.
func checkFree(name, driver string) error {
	for deadline := time.Now().Add(goneTimeout); ; time.Sleep(time.Millisecond) {
		link, err := netlink.LinkByName(name)
		switch {
		case name == "" || errors.As(err, new(netlink.LinkNotFoundError)):
			return nil
		case err != nil:
			return fmt.Errorf("look up interface: %w", err)
		case driver != "veth" || link.Type() != "veth" || time.Now().After(deadline):
			return taken{link}
		}
	}
}

// taken is the error of a name that an interface already has.
type taken struct{ netlink.Link }

func (e taken) Error() string {
	name := e.Attrs().Name
	t, ok := e.Link.(*netlink.Tuntap)
	switch {
	case !ok:
		return fmt.Sprintf("interface %s already exists (type %s); choose another name", name, e.Type())
	case t.NonPersist:
		return fmt.Sprintf("interface %s already exists (another program uses it); stop that program or choose another name", name)
	}
	return fmt.Sprintf("interface %s already exists (persistent); delete it with \"ip link delete %s\" or choose another name", name, name)
}

// Is makes errors.Is find fs.ErrExist in it.
func (e taken) Is(target error) bool { return target == fs.ErrExist }

// configureHost sets the interface's MTU and hardware address, gives the host its addresses on it, and brings it up.
func configureHost(name string, cfg Config) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("look up interface: %w", err)
	}
	if err := netlink.LinkSetMTU(link, cfg.MTU); err != nil {
		return fmt.Errorf("set MTU %d: %w", cfg.MTU, err)
	}
	if err := netlink.LinkSetTxQLen(link, cfg.queueLen()); err != nil {
		return fmt.Errorf("set queue length: %w", err)
	}
	if cfg.MAC != nil {
		if err := netlink.LinkSetHardwareAddr(link, cfg.MAC); err != nil {
			return fmt.Errorf("set hardware address %s: %w", cfg.MAC, err)
		}
	}
	for _, p := range cfg.Hosts {
		if err := netlink.AddrAdd(link, hostAddr(p)); err != nil {
			return fmt.Errorf("add address %s: %w", p, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	return awaitUp(name)
}

// Lengths of the interface's transmit queue (txqueuelen), in packets.
const (
	minQueueLen = 2000 // 64 senders of super-packets with half a megabyte in flight each overflow the kernel's default of 500
	maxQueueLen = 10000
)

// queueLen returns the length of the interface's transmit queue, which holds the packets that the kernel sends until the stack reads them. Packets
// beyond it are lost. Without super-packets, thousands of packets are needed to hold a window.
func (cfg *Config) queueLen() int {
	const window = 8 << 20
	if cfg.Offload && cfg.Driver != "water" {
		return minQueueLen
	}
	return min(max(window/cfg.MTU, minQueueLen), maxQueueLen)
}

// hostAddr is an address for netlink. The host may use one of IPv6 at once: the only other node on the link is the stack, which detects
// a duplicate itself.
func hostAddr(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}

// awaitUp waits until the interface carries packets: the kernel sets IFF_RUNNING some time after the request to bring the link up.
func awaitUp(name string) error {
	const up = net.FlagUp | net.FlagRunning
	for deadline := time.Now().Add(upTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("look up interface: %w", err)
		}
		if link.Attrs().Flags&up == up {
			return nil
		}
	}
	return fmt.Errorf("the link is not up after %v", upTimeout)
}
