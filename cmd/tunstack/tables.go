package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tunstack/socketapi"
)

// show fetches a table of the running stack and prints it, with print or as JSON.
func show[Row any](ctx context.Context, a *app, table string, asJSON bool, print func(io.Writer, []Row)) error {
	var rows []Row
	if err := a.client().Get(ctx, table, &rows); err != nil {
		return err
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

// tableCommand makes a command that prints one table.
func tableCommand[Row any](a *app, cmd *cobra.Command, table string, print func(io.Writer, []Row)) *cobra.Command {
	var asJSON bool
	cmd.Args = operands(0, 0)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return show(cmd.Context(), a, table, asJSON, print) }
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) ifconfigCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:     "ifconfig",
		Short:   "Show the stack's interfaces",
		Long:    "Shows the stack's interfaces with their addresses, MTU, and packets and bytes received (RX) and sent (TX).",
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
			p := a.Prefix
			fmt.Fprintf(w, "        inet %s  netmask %s", p.Addr(), mask(p))
			if p.Bits() < 31 && !r.Loopback {
				fmt.Fprintf(w, "  broadcast %s", lastAddr(p))
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "        RX packets %d  bytes %d\n", r.InPackets, r.InBytes)
		fmt.Fprintf(w, "        TX packets %d  bytes %d\n", r.OutPackets, r.OutBytes)
	}
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

// neighbor is a row of the ARP cache in the format of the control socket.
type neighbor struct {
	IP    netip.Addr    `json:"ip"`
	MAC   string        `json:"mac"`
	State string        `json:"state"`
	Age   time.Duration `json:"age"`
}

func (a *app) arpCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:   "arp",
		Short: "Show the stack's ARP cache",
		Long: `Shows the hardware addresses that the stack knows on Ethernet (up --tap), their states,
and the time since it last heard from them. A TUN device has none.`,
		Example: "  tunstack arp\n  tunstack arp --json",
	}, "neighbors", printNeighbors)
}

func printNeighbors(w io.Writer, rows []neighbor) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "Address\tHWaddress\tState\tAge")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.IP, r.MAC, r.State, r.Age.Round(time.Second))
	}
	t.Flush()
}

func (a *app) routeCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:   "route",
		Short: "Show the stack's routes",
		Long: `Shows the stack's route table as "route -n" does. Flags: U usable, G by way of a gateway,
H a single host, D learned from an ICMP Redirect.`,
		Example: "  tunstack route\n  tunstack route --json",
	}, "routes", printRoutes)
}

func printRoutes(w io.Writer, rows []socketapi.Route) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "Destination\tGateway\tGenmask\tFlags\tMetric\tIface")
	for _, r := range rows {
		gateway := netip.IPv4Unspecified()
		if r.Gateway.IsValid() {
			gateway = r.Gateway
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", r.Prefix.Addr(), gateway, mask(r.Prefix), routeFlags(r), r.Metric, r.Interface)
	}
	t.Flush()
}

func routeFlags(r socketapi.Route) string {
	var b strings.Builder
	for _, f := range []struct {
		set  bool
		flag byte
	}{{!r.Failed, 'U'}, {r.Gateway.IsValid(), 'G'}, {r.Prefix.IsSingleIP(), 'H'}, {r.Redirect, 'D'}} {
		if f.set {
			b.WriteByte(f.flag)
		}
	}
	return b.String()
}
