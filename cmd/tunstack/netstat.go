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
	var tcp, udp, raw, info, statistics, asJSON bool
	cmd := &cobra.Command{
		Use:   "netstat",
		Short: "Show the stack's sockets, or its counters",
		Long: `Lists the stack's sockets as "ss -tan" does: state, octets waiting to be read and to be acknowledged
(of a listener: connections waiting to be accepted and how many may), own and peer's address.
With -i each TCP connection has a second line as "ss -tni" prints it, times in ms. With -s it lists all counters and drop reasons, with their meaning.`,
		Example: `  tunstack netstat
  tunstack netstat -tu
  tunstack netstat -i
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
			return a.sockets(cmd.Context(), shown, info, asJSON)
		},
	}
	cmd.Flags().BoolVarP(&tcp, "tcp", "t", false, "TCP sockets; the default")
	cmd.Flags().BoolVarP(&udp, "udp", "u", false, "UDP sockets")
	cmd.Flags().BoolVarP(&raw, "raw", "w", false, "raw sockets")
	cmd.Flags().BoolVarP(&info, "info", "i", false, "what TCP connections know of themselves")
	cmd.Flags().BoolVarP(&statistics, "statistics", "s", false, "counters and drop reasons instead of sockets")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// sockets prints the sockets of the protocols that are shown.
func (a *app) sockets(ctx context.Context, shown map[string]bool, info, asJSON bool) error {
	var rows []socketapi.SocketInfo
	if err := a.client().Get(ctx, "sockets", &rows); err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(s socketapi.SocketInfo) bool { return !shown[s.Protocol] })
	if asJSON {
		return printJSON(a.out, rows)
	}
	several := shown["tcp"] && shown["udp"] || shown["tcp"] && shown["raw"] || shown["udp"] && shown["raw"]
	var connections map[ends]string
	if info {
		var err error
		if connections, err = a.connections(ctx); err != nil {
			return err
		}
	}
	printSockets(a.out, rows, several, connections)
	return nil
}

// printSockets prints the table of ss: addresses end, and ports begin, at a colon that all rows share.
func printSockets(w io.Writer, rows []socketapi.SocketInfo, withProtocol bool, info map[ends]string) {
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
	for i, l := range lines {
		if withProtocol {
			fmt.Fprintf(w, "%-*s ", width[0], l[0])
		}
		fmt.Fprintf(w, "%-*s %-*s %-*s %*s:%-*s %*s:%s\n", width[1], l[1], width[2], l[2], width[3], l[3],
			width[4], l[4], width[5], l[5], width[6], l[6], l[7])
		if i == 0 || rows[i-1].Protocol != "tcp" {
			continue
		}
		if line, ok := info[ends{rows[i-1].Local, rows[i-1].Remote}]; ok {
			fmt.Fprintf(w, "\t %s\n", line)
		}
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
