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
	var f family
	return familyCommand(a, &f, &cobra.Command{
		Use:   "route",
		Short: "Show the stack's routes",
		Long: `Shows the stack's route tables as "route -n" and "route -n -6" do, IPv4 first. Flags: U usable, G by way
of a gateway, H a single host, D learned from a redirect, A from a router advertisement.`,
		Example: "  tunstack route\n  tunstack route -6\n  tunstack route --json",
	}, "routes", func(r socketapi.Route) netip.Addr { return r.Prefix.Addr() },
		func(w io.Writer, rows []socketapi.Route) { printRoutes(w, f, rows) })
}

// printRoutes prints a table for each family that has routes; without routes the head of the family that is asked for.
func printRoutes(w io.Writer, f family, rows []socketapi.Route) {
	var tables [2][]socketapi.Route
	for _, r := range rows {
		at := 0
		if r.Prefix.Addr().Is6() {
			at = 1
		}
		tables[at] = append(tables[at], r)
	}
	if len(tables[0]) > 0 || len(tables[1]) == 0 && !f.v6 {
		routeTable(w, "Destination\tGateway\tGenmask", cells4, tables[0])
	}
	if len(tables[0]) > 0 && len(tables[1]) > 0 {
		fmt.Fprintln(w)
	}
	if len(tables[1]) > 0 || f.v6 {
		routeTable(w, "Destination\tNext Hop", cells6, tables[1])
	}
}

// routeTable prints the routes of a family, whose first columns have a head and cells.
func routeTable(w io.Writer, head string, cells func(socketapi.Route) string, rows []socketapi.Route) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tFlags\tMetric\tIface\n", head)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", cells(r), routeFlags(r), r.Metric, r.Interface)
	}
	t.Flush()
}

func cells4(r socketapi.Route) string {
	return fmt.Sprintf("%s\t%s\t%s", r.Prefix.Addr(), gatewayOf(r, netip.IPv4Unspecified()), mask(r.Prefix))
}

func cells6(r socketapi.Route) string {
	return fmt.Sprintf("%s\t%s", r.Prefix, gatewayOf(r, netip.IPv6Unspecified()))
}

// gatewayOf is a route's gateway without its zone, because the last column names the interface; none stands for no gateway.
func gatewayOf(r socketapi.Route, none netip.Addr) netip.Addr {
	if r.Gateway.IsValid() {
		return r.Gateway.WithZone("")
	}
	return none
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
