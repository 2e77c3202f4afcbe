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

// checkedHost returns a HOST as the stack dials it, and refuses one that cannot be meant, with a line that says what to write instead.
// Names pass.
func (a *app) checkedHost(ctx context.Context, f family, host string) (string, error) {
	if strings.HasPrefix(host, "[") {
		return "", usage("%s: an address stands without brackets here", host)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && strings.Contains(host, ":"):
		return "", usage("%s: not an IPv6 address", host)
	case err != nil: // a name
		return host, nil
	case addr.Is4In6():
		return "", usage("%s: an IPv4 address in a form of sockets; write %s", host, addr.Unmap())
	case !f.has(addr):
		return "", usage("%s: not an address of %s", host, f)
	case !ip.IsLinkLocal6(addr) && addr.Zone() == "":
		return host, nil
	}
	var rows []socketapi.InterfaceInfo
	if err := a.client().Get(ctx, "interfaces", &rows); err != nil {
		return "", err
	}
	addr, err = zoned(rows, addr)
	return addr.String(), err
}

// zoned returns an address of one link with its zone: without one, that of the only link. It refuses a zone that names no interface,
// neither by name nor by number, and an address without a zone that several links could have.
func zoned(rows []socketapi.InterfaceInfo, addr netip.Addr) (netip.Addr, error) {
	var all, links []string
	for i, r := range rows {
		if zone := addr.Zone(); zone == r.Name || zone == strconv.Itoa(i+1) {
			return addr, nil
		}
		all = append(all, r.Name)
		if !r.Loopback {
			links = append(links, r.Name)
		}
	}
	switch {
	case addr.Zone() != "":
		return addr, usage("%s: the stack has no interface %s; it has %s", addr, addr.Zone(), strings.Join(all, ", "))
	case len(links) == 0:
		return addr, usage("%s: the address of one link, and the stack has no link", addr)
	case len(links) > 1:
		return addr, usage("%s: the address of one link, and the stack has several; write %s%%LINK with one of %s", addr, addr,
			strings.Join(links, ", "))
	}
	return addr.WithZone(links[0]), nil
}

// dialRaw opens the raw socket to a host that network names, of the first version of IP in order that the host can be reached by.
func (a *app) dialRaw(ctx context.Context, f family, host string, network func(*icmpmsg.Family) string, order ...netip.Addr) (net.Conn, error) {
	host, err := a.checkedHost(ctx, f, host)
	if err != nil {
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
