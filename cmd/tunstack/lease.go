package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tunstack/dhcp"
	"tunstack/socketapi"
)

func (a *app) leaseCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:   "lease",
		Short: "Show what DHCP servers have given the stack",
		Long: `Shows the leases of the stack's DHCP clients: the state of each in the words of the RFC, the addresses and
from which server they are, how long they last, and the routes, name servers and other settings that came
with them. "up --addr dhcp" starts a client for IPv4, and "up --addr auto" one for IPv6.`,
		Example: "  tunstack lease\n  tunstack lease --json",
	}, "leases", printLeases)
}

func printLeases(w io.Writer, rows []dhcp.Info) {
	for i, r := range rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s %s", r.Interface, r.Protocol, r.State)
		if r.Server != "" {
			fmt.Fprintf(w, " from %s", r.Server)
		}
		fmt.Fprintln(w)
		for _, line := range leaseLines(r) {
			if line[1] != "" {
				fmt.Fprintf(w, "        %-10s %s\n", line[0], line[1])
			}
		}
	}
}

// leaseLines are the names and the values of a lease.
func leaseLines(r dhcp.Info) [][2]string {
	var lines [][2]string
	for _, a := range r.Addresses {
		lines = append(lines, [2]string{"address", a.String()})
	}
	if r.LinkLocal.IsValid() {
		lines = append(lines, [2]string{"address", r.LinkLocal.String() + " (no server answers)"})
	}
	switch {
	case r.Server == "":
	case r.Expires == socketapi.Forever:
		lines = append(lines, [2]string{"expires", "never"})
	default:
		lines = append(lines, [2]string{"expires", fmt.Sprintf("in %s, renewed in %s", timeLeft(r.Expires), timeLeft(r.Renew))})
	}
	for _, route := range r.Routes {
		via := "on the link"
		if route.Router.IsValid() {
			via = "by " + route.Router.String()
		}
		lines = append(lines, [2]string{"route", fmt.Sprintf("%s %s", route.Prefix, via)})
	}
	mtu := ""
	if r.MTU > 0 {
		mtu = fmt.Sprint(r.MTU)
	}
	return append(lines, [2]string{"dns", spaced(r.DNS)}, [2]string{"search", strings.Join(r.SearchList(), " ")}, [2]string{"hostname", r.Hostname},
		[2]string{"mtu", mtu}, [2]string{"ntp", spaced(r.NTP)})
}

// spaced lists values with blanks between.
func spaced[T fmt.Stringer](list []T) string {
	var words []string
	for _, v := range list {
		words = append(words, v.String())
	}
	return strings.Join(words, " ")
}

// timeLeft is a time in whole seconds.
func timeLeft(d time.Duration) string { return d.Truncate(time.Second).String() }
