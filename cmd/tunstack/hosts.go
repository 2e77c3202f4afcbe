package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/ip"
	"tunstack/socketapi"
)

// checkHost refuses a HOST that cannot be meant, with a line that says what to write instead. Names pass.
func (a *app) checkHost(ctx context.Context, f family, host string) error {
	if strings.HasPrefix(host, "[") {
		return usage("%s: an address stands without brackets here", host)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && strings.Contains(host, ":"):
		return usage("%s: not an IPv6 address", host)
	case err != nil: // a name
		return nil
	case addr.Is4In6():
		return usage("%s: an IPv4 address in a form of sockets; write %s", host, addr.Unmap())
	case !f.has(addr):
		return usage("%s: not an address of %s", host, f)
	case ip.IsLinkLocal6(addr) || addr.Zone() != "":
		return a.checkZone(ctx, addr)
	}
	return nil
}

// checkZone is checkZoneOf the interfaces of the running stack.
func (a *app) checkZone(ctx context.Context, addr netip.Addr) error {
	var rows []socketapi.InterfaceInfo
	if err := a.client().Get(ctx, "interfaces", &rows); err != nil {
		return err
	}
	return checkZoneOf(rows, addr)
}

// checkZoneOf refuses an address whose zone is no interface, by name or number, and one without a zone that could be of several.
func checkZoneOf(rows []socketapi.InterfaceInfo, addr netip.Addr) error {
	var all, links []string
	for i, r := range rows {
		if zone := addr.Zone(); zone == r.Name || zone == strconv.Itoa(i+1) {
			return nil
		}
		all = append(all, r.Name)
		if !r.Loopback {
			links = append(links, r.Name)
		}
	}
	switch {
	case addr.Zone() != "":
		return usage("%s: the stack has no interface %s; it has %s", addr, addr.Zone(), strings.Join(all, ", "))
	case len(links) == 0:
		return usage("%s: the address of one link, and the stack has no link", addr)
	case len(links) > 1:
		return usage("%s: the address of one link, and the stack has several; write %s%%LINK with one of %s", addr, addr,
			strings.Join(links, ", "))
	}
	return nil
}

// dialRaw opens the raw socket to a host that network names, of the first version of IP in order that the host can be reached by.
func (a *app) dialRaw(ctx context.Context, f family, host string, network func(*icmpmsg.Family) string, order ...netip.Addr) (net.Conn, error) {
	if err := a.checkHost(ctx, f, host); err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		order = []netip.Addr{addr}
	}
	var first error
	for _, of := range order {
		if !f.has(of) {
			continue
		}
		c, err := a.client().DialContext(ctx, network(icmpmsg.Of(of)), host)
		if err == nil {
			return c, nil
		}
		if first == nil || !isErrno(first) && isErrno(err) { // an address that cannot be reached tells more than a name without one
			first = err
		}
	}
	return nil, first
}

func isErrno(err error) bool {
	_, ok := err.(syscall.Errno)
	return ok
}

// Any address of a family, for the order of dialRaw.
var any4, any6 = netip.IPv4Unspecified(), netip.IPv6Unspecified()

// checkedAddr is the address of an end of a connection.
func checkedAddr(a net.Addr) (netip.Addr, error) {
	addr, err := netip.ParseAddr(a.String())
	if err != nil {
		err = fmt.Errorf("the stack does not say which address it uses: %w", err)
	}
	return addr, err
}
