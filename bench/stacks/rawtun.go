package stacks

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// openTUN creates a TUN interface, gives the host its address there and returns the file, which is non-blocking. With vnet
// every packet starts with a virtio-net header of ten bytes, and super-packets and incomplete checksums cross in both
// directions.
func openTUN(spec Spec, mtu int, vnet bool) (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	req, err := unix.NewIfreq(spec.Dev)
	if err != nil {
		return -1, err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if vnet {
		flags |= unix.IFF_VNET_HDR
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return -1, os.NewSyscallError("TUNSETIFF", err)
	}
	if vnet {
		if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6|unix.TUN_F_TSO_ECN); err != nil {
			return -1, os.NewSyscallError("TUNSETOFFLOAD", err)
		}
	}
	queueLen := 2000 // as in tunstack
	if !vnet {
		queueLen = max(queueLen, 8<<20/mtu)
	}
	return fd, configure(spec.Dev, spec.Host.String(), mtu, queueLen)
}

// configure sets an interface's MTU, address and length of the transmit queue, and brings it up.
func configure(name, addr string, mtu, queueLen int) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("set MTU: %w", err)
	}
	if err := addAddress(link, addr); err != nil {
		return err
	}
	if err := netlink.LinkSetTxQLen(link, queueLen); err != nil {
		return fmt.Errorf("set queue length: %w", err)
	}
	return netlink.LinkSetUp(link)
}

// addAddress adds an address, with the length of its network. An IPv6 address is usable at once, because no other host is on the link.
func addAddress(link netlink.Link, addr string) error {
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	a.Flags = unix.IFA_F_NODAD
	if err := netlink.AddrAdd(link, a); err != nil {
		return fmt.Errorf("add address: %w", err)
	}
	return nil
}
