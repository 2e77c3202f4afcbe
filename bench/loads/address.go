package loads

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// firstPort and perAddress are the ports of each client address. The client binds them by number: the kernel chooses a port
// again once it has forgotten the connection, and one address has too few ports for all connections.
const (
	firstPort  = 20_000
	perAddress = 40_000
)

// ownEnds returns n ends of connections for the client, on addresses below own, which it adds to the link.
func ownEnds(t Target, own netip.Addr, n int) ([]netip.AddrPort, error) {
	ends := make([]netip.AddrPort, n)
	for i := range ends {
		if i%perAddress == 0 {
			own = own.Prev()
			if err := addAddress(t, own); err != nil {
				return nil, err
			}
		}
		ends[i] = netip.AddrPortFrom(own, uint16(firstPort+i%perAddress))
	}
	return ends, nil
}

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
	addr := &netlink.Addr{
		IPNet: &net.IPNet{IP: net.IP(own.AsSlice()), Mask: net.CIDRMask(own.BitLen(), own.BitLen())},
		Flags: unix.IFA_F_NODAD, // usable at once
	}
	if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	return nil
}
