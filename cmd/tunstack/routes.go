package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tunstack/socketapi"
)

func (a *app) routeCommand() *cobra.Command {
	return familyCommand(a, &cobra.Command{
		Use:   "route",
		Short: "Show the stack's routes",
		Long: `Shows the stack's route tables as "route -n" and "route -n -6" do, IPv4 first. Flags: U usable, G by way
of a gateway, H a single host, D learned from a redirect, A from a router advertisement.`,
		Example: "  tunstack route\n  tunstack route -6\n  tunstack route --json",
	}, "routes", func(r socketapi.Route) netip.Addr { return r.Prefix.Addr() }, printRoutes)
}

// printRoutes prints a table for each family that has routes; without routes the head of IPv4's.
func printRoutes(w io.Writer, rows []socketapi.Route) {
	var tables [2][]socketapi.Route
	for _, r := range rows {
		at := 0
		if r.Prefix.Addr().Is6() {
			at = 1
		}
		tables[at] = append(tables[at], r)
	}
	if len(tables[0]) > 0 || len(tables[1]) == 0 {
		printRoutes4(w, tables[0])
	}
	if len(tables[0]) > 0 && len(tables[1]) > 0 {
		fmt.Fprintln(w)
	}
	if len(tables[1]) > 0 {
		printRoutes6(w, tables[1])
	}
}

func printRoutes4(w io.Writer, rows []socketapi.Route) {
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

func printRoutes6(w io.Writer, rows []socketapi.Route) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "Destination\tNext Hop\tFlags\tMetric\tIface")
	for _, r := range rows {
		gateway := netip.IPv6Unspecified()
		if r.Gateway.IsValid() {
			gateway = r.Gateway.WithZone("") // the last column names the interface
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", r.Prefix, gateway, routeFlags(r), r.Metric, r.Interface)
	}
	t.Flush()
}

func routeFlags(r socketapi.Route) string {
	var b strings.Builder
	for _, f := range []struct {
		set  bool
		flag byte
	}{{!r.Failed, 'U'}, {r.Gateway.IsValid(), 'G'}, {r.Prefix.IsSingleIP(), 'H'}, {r.Redirect, 'D'}, {r.Advertised, 'A'}} {
		if f.set {
			b.WriteByte(f.flag)
		}
	}
	return b.String()
}
