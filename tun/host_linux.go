package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// upTimeout is how long a link may take to come up. It takes microseconds; only a broken machine meets it.
const upTimeout = 5 * time.Second

// goneTimeout is how long the pair of a killed process may take to go.
const goneTimeout = 2 * time.Second

// checkFree gives a clear error when an interface of this name exists: one that another program uses, one that
// was made persistent, or something else altogether. Our own never outlive their process, but the kernel removes a veth pair a
// moment after it: the veth driver waits for that.
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

// taken is the error of a name that an interface has already.
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

// Is makes it an fs.ErrExist.
func (e taken) Is(target error) bool { return target == fs.ErrExist }

// configureHost sets the interface's MTU and hardware address, gives the host its address on it, and brings it up.
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
	if cfg.Host.IsValid() {
		if err := netlink.AddrAdd(link, hostAddr(cfg)); err != nil {
			return fmt.Errorf("add address %s: %w", cfg.Host, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	return awaitUp(name)
}

// Lengths of the queue from the kernel to us, in packets.
const (
	minQueueLen = 2000 // the kernel's 500 are overrun by 64 senders of super-packets, each with half a megabyte on the way
	maxQueueLen = 10000
)

// queueLen is the length of the queue from the kernel to us, which holds the kernel's bursts: it sends to a device
// without waiting for it, and what the queue has no room for is lost. Without super-packets it takes thousands of
// packets to hold a window.
func (cfg *Config) queueLen() int {
	const window = 8 << 20
	if cfg.Offload && cfg.Driver != "water" {
		return minQueueLen
	}
	return min(max(window/cfg.MTU, minQueueLen), maxQueueLen)
}

func hostAddr(cfg Config) *netlink.Addr {
	ip := cfg.Host.Addr().As4()
	return &netlink.Addr{IPNet: &net.IPNet{IP: ip[:], Mask: net.CIDRMask(cfg.Host.Bits(), 32)}}
}

// awaitUp returns when packets pass: the kernel sets IFF_RUNNING some time after the request to bring the link up.
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
