package loads

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
)

// addAddress gives the client one more address on the link to the target.
func addAddress(t Target, own netip.Addr) error {
	routes, err := netlink.RouteGet(net.IP(t.Addr.AsSlice()))
	if err != nil {
		return err
	}
	if len(routes) == 0 {
		return errors.New("no route to the stack")
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: net.IP(own.AsSlice()), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	return nil
}
