package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"tunstack/socketapi"
)

func (a *app) netstatCommand() *cobra.Command {
	var tcp, udp, raw, statistics, asJSON bool
	cmd := &cobra.Command{
		Use:   "netstat",
		Short: "Show the stack's sockets, or its counters",
		Long: `Lists the stack's sockets as "ss -tan" does: state, octets waiting to be read and to be acknowledged
(of a listener: connections waiting to be accepted and how many may), own and peer's address.
With -s it lists all counters and drop reasons, with their meaning.`,
		Example: `  tunstack netstat
  tunstack netstat -tu
  tunstack netstat -s --json`,
		Args: operands(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if statistics {
				return show(cmd.Context(), a, "counters", asJSON, printCounters)
			}
			shown := map[string]bool{"tcp": tcp, "udp": udp, "raw": raw}
			if !tcp && !udp && !raw {
				shown["tcp"] = true
			}
			return a.sockets(cmd.Context(), shown, asJSON)
		},
	}
	cmd.Flags().BoolVarP(&tcp, "tcp", "t", false, "TCP sockets; the default")
	cmd.Flags().BoolVarP(&udp, "udp", "u", false, "UDP sockets")
	cmd.Flags().BoolVarP(&raw, "raw", "w", false, "raw sockets")
	cmd.Flags().BoolVarP(&statistics, "statistics", "s", false, "counters and drop reasons instead of sockets")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// sockets prints the sockets of the protocols that are shown.
func (a *app) sockets(ctx context.Context, shown map[string]bool, asJSON bool) error {
	var rows []socketapi.SocketInfo
	if err := a.client().Get(ctx, "sockets", &rows); err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(s socketapi.SocketInfo) bool { return !shown[s.Protocol] })
	if asJSON {
		return printJSON(a.out, rows)
	}
	printSockets(a.out, rows, shown["tcp"] && shown["udp"] || shown["tcp"] && shown["raw"] || shown["udp"] && shown["raw"])
	return nil
}

// printSockets prints the table of ss: addresses end, and ports begin, at a colon that all rows share.
func printSockets(w io.Writer, rows []socketapi.SocketInfo, withProtocol bool) {
	lines := [][]string{{"Netid", "State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port"}}
	for _, s := range rows {
		local, localPort := endText(s.Local)
		remote, remotePort := endText(s.Remote)
		lines = append(lines, []string{s.Protocol, s.State, strconv.Itoa(s.RecvQ), strconv.Itoa(s.SendQ), local, localPort, remote, remotePort})
	}
	width := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			width[i] = max(width[i], len(cell))
		}
	}
	for _, l := range lines {
		if withProtocol {
			fmt.Fprintf(w, "%-*s ", width[0], l[0])
		}
		fmt.Fprintf(w, "%-*s %-*s %-*s %*s:%-*s %*s:%s\n", width[1], l[1], width[2], l[2], width[3], l[3],
			width[4], l[4], width[5], l[5], width[6], l[6], l[7])
	}
}

// endText is one end of a socket, with ss's words for an address or port that is not set.
func endText(a netip.AddrPort) (addr, port string) {
	addr, port = "0.0.0.0", "*"
	if a.Addr().IsValid() {
		addr = a.Addr().String()
	}
	if a.Port() != 0 {
		port = strconv.Itoa(int(a.Port()))
	}
	return addr, port
}

// printCounters prints one counter to the line.
func printCounters(w io.Writer, rows []socketapi.Counter) {
	width := 0
	for _, c := range rows {
		width = max(width, len(c.Name))
	}
	for _, c := range rows {
		fmt.Fprintf(w, "%-*s %12d  %s", width, c.Name, c.Value, c.Doc)
		if c.RFC != "" {
			fmt.Fprintf(w, " (%s)", c.RFC)
		}
		fmt.Fprintln(w)
	}
}
