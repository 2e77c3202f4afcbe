package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tunstack/socketapi"
)

// show fetches the rows of a table of the running stack that are chosen, and prints them, with print or as JSON.
func show[Row any](ctx context.Context, a *app, table string, asJSON bool, print func(io.Writer, []Row), chosen ...func(Row) bool) error {
	var rows []Row
	if err := a.client().Get(ctx, table, &rows); err != nil {
		return err
	}
	for _, is := range chosen {
		rows = slices.DeleteFunc(rows, func(r Row) bool { return !is(r) })
	}
	if asJSON {
		return printJSON(a.out, rows)
	}
	print(a.out, rows)
	return nil
}

func printJSON[Row any](w io.Writer, rows []Row) error {
	if rows == nil {
		rows = []Row{} // an empty table is [], not null
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(rows)
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON instead of a table")
}

// tableCommand makes a command that prints the chosen rows of one table.
func tableCommand[Row any](a *app, cmd *cobra.Command, table string, print func(io.Writer, []Row), chosen ...func(Row) bool) *cobra.Command {
	var asJSON bool
	cmd.Args = operands(0, 0)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return show(cmd.Context(), a, table, asJSON, print, chosen...)
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// familyCommand makes a command that prints one table, with flags f for the rows of one family; of is the address of a row.
func familyCommand[Row any](a *app, f *family, cmd *cobra.Command, table string, of func(Row) netip.Addr, print func(io.Writer, []Row)) *cobra.Command {
	cmd = tableCommand(a, cmd, table, print, func(r Row) bool { return f.has(of(r)) })
	f.flags(cmd, "show only %s")
	return cmd
}

func (a *app) ifconfigCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:   "ifconfig",
		Short: "Show the stack's interfaces",
		Long: `Shows the stack's interfaces with their addresses of both families, MTU, and packets and bytes received
(RX) and sent (TX). An address that is not in use for good has a second part: its flags in the words of
"ip address", and the lifetimes that are left, in seconds.`,
		Example: "  tunstack ifconfig\n  tunstack ifconfig --json",
	}, "interfaces", printInterfaces)
}

func printInterfaces(w io.Writer, rows []socketapi.InterfaceInfo) {
	for i, r := range rows {
		flags := "UP,BROADCAST,MULTICAST"
		if r.Loopback {
			flags = "UP,LOOPBACK"
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: flags=<%s>  mtu %d\n", r.Name, flags, r.MTU)
		for _, a := range r.Addresses {
			fmt.Fprintf(w, "        %s%s\n", addressText(a.Prefix, r.Loopback), stateText(a))
		}
		fmt.Fprintf(w, "        RX packets %d  bytes %d\n", r.InPackets, r.InBytes)
		fmt.Fprintf(w, "        TX packets %d  bytes %d\n", r.OutPackets, r.OutBytes)
	}
}

// addressText is an address with its network as Linux's ifconfig prints it.
func addressText(p netip.Prefix, loopback bool) string {
	switch {
	case p.Addr().Is6():
		return fmt.Sprintf("inet6 %s  prefixlen %d  scopeid %s", p.Addr(), p.Bits(), scopeText(p.Addr()))
	case p.Bits() < 31 && !loopback:
		return fmt.Sprintf("inet %s  netmask %s  broadcast %s", p.Addr(), mask(p), lastAddr(p))
	}
	return fmt.Sprintf("inet %s  netmask %s", p.Addr(), mask(p))
}

// scopeText is the scope of an IPv6 address with Linux's number (RFC 4291 section 2.5).
func scopeText(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "0x10<host>"
	case a.IsLinkLocalUnicast():
		return "0x20<link>"
	}
	return "0x0<global>"
}

// stateText is the state of an address, "" for one that is in use for good.
func stateText(a socketapi.AddressInfo) string {
	text := ""
	if flags := a.Flags(); len(flags) > 0 {
		text = "  flags <" + strings.Join(flags, ",") + ">"
	}
	if a.Dynamic {
		text += "  valid " + lifetime(a.Valid) + "  preferred " + lifetime(a.Preferred)
	}
	return text
}

// lifetime is a lifetime in seconds.
func lifetime(d time.Duration) string {
	if d == socketapi.Forever {
		return "forever"
	}
	return fmt.Sprintf("%d", int(d.Seconds()))
}

func mask(p netip.Prefix) string { return net.IP(net.CIDRMask(p.Bits(), 32)).String() }

// lastAddr is the broadcast address of a network.
func lastAddr(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for i, m := range net.CIDRMask(p.Bits(), 32) {
		a[i] |= ^m
	}
	return netip.AddrFrom4(a)
}
