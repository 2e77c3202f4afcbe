package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tunstack/cmd/internal/control"
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

// lookup finds the addresses of a HOST, the best first, and its canonical name, by the stack's resolver.
func (a *app) lookup(ctx context.Context, f family, host string) (control.Host, error) {
	host, err := a.checkedHost(ctx, f, host)
	if err != nil {
		return control.Host{}, err
	}
	return a.client().Lookup(ctx, f.network("ip"), host)
}

// nameWait is the longest time for which a command waits for the name of an address.
const nameWait = 2 * time.Second

// names returns a function that finds the names of addresses by the stack's resolver, "" without a name. It asks once for each.
func (a *app) names(ctx context.Context) func(netip.Addr) string {
	known := map[netip.Addr]string{}
	return func(addr netip.Addr) string {
		name, ok := known[addr]
		if !ok {
			ctx, cancel := context.WithTimeout(ctx, nameWait)
			defer cancel()
			if list, err := a.client().LookupAddr(ctx, addr); err == nil && len(list) > 0 {
				name = strings.TrimSuffix(list[0], ".")
			}
			known[addr] = name
		}
		return name
	}
}

// Any address of a family, for icmpmsg.Of and ping.MaxSize.
var any4, any6 = netip.IPv4Unspecified(), netip.IPv6Unspecified()

// checkedAddr is the address of an end of a connection.
func checkedAddr(a net.Addr) (netip.Addr, error) {
	addr, err := netip.ParseAddr(a.String())
	if err != nil {
		err = fmt.Errorf("the stack does not say which address it uses: %w", err)
	}
	return addr, err
}
