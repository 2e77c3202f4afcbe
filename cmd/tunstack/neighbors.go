package main

import (
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// neighbor is a row of the neighbour cache in the format of the control socket.
type neighbor struct {
	IP        netip.Addr    `json:"ip"`
	MAC       string        `json:"mac"`
	State     string        `json:"state"`
	Router    bool          `json:"router"`
	Age       time.Duration `json:"age"`
	Interface string        `json:"interface"`
}

func (n neighbor) addr() netip.Addr { return n.IP }

func (a *app) neighCommand() *cobra.Command {
	return familyCommand(a, new(family), &cobra.Command{
		Use:   "neigh",
		Short: "Show the stack's neighbour cache",
		Long: `Shows the neighbours that the stack knows on Ethernet (up --tap): their hardware addresses, states, the time
since the stack last heard from them, the interface, and which of IPv6 are routers. A TUN device has none.`,
		Example: "  tunstack neigh\n  tunstack neigh -6\n  tunstack neigh --json",
	}, "neighbors", neighbor.addr, printNeighbors)
}

func (a *app) arpCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:   "arp",
		Short: "Show the stack's ARP cache",
		Long: `Shows the hardware addresses of the neighbours of IPv4 that the stack knows on Ethernet (up --tap), their states,
and the time since it last heard from them. A TUN device has none. "tunstack neigh" shows those of both families.`,
		Example: "  tunstack arp\n  tunstack arp --json",
	}, "neighbors", printNeighbors, func(n neighbor) bool { return n.IP.Is4() })
}

func printNeighbors(w io.Writer, rows []neighbor) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "Address\tHWaddress\tState\tFlags\tAge\tIface")
	for _, r := range rows {
		flags := "-"
		if r.Router {
			flags = "router"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.IP.WithZone(""), r.MAC, r.State, flags, r.Age.Round(time.Second), r.Interface)
	}
	t.Flush()
}
