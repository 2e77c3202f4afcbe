package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tunstack/cmd/internal/control"
	"tunstack/socketapi"
)

// netstatFlags are the flags of `tunstack netstat`.
type netstatFlags struct {
	tcp, udp, raw, info, groups, statistics, json bool
	family                                        family
	watch                                         seconds // 0: once
}

func (a *app) netstatCommand() *cobra.Command {
	f := &netstatFlags{}
	cmd := &cobra.Command{
		Use:   "netstat [--watch [SECONDS]]",
		Short: "Show the stack's sockets, multicast groups or counters",
		Long: `Lists the stack's sockets as "ss -tan" does: state, bytes waiting to be read and to be acknowledged
(of a listener: connections waiting to be accepted and how many may), the stack's and the peer's address.
With -i each TCP connection has a second line as "ss -tni" prints it, times in ms. With -g it lists the
multicast groups of each interface, with the number of members and the sources that they receive together.
With -s it lists all counters and drop reasons, with their meaning and the section of the RFC behind it.

With --watch it does so again every second, or every SECONDS, until Ctrl-C: on a terminal in place, as watch(1)
does, else with an empty line between; as JSON, one value after the other. With -s it then leaves out
the counters that are zero, and shows beside each value by how much it has grown since the last time.`,
		Example: `  tunstack netstat
  tunstack netstat -tu
  tunstack netstat -i --watch
  tunstack netstat -s --watch 5
  tunstack netstat -s --json`,
		Args: operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args); err != nil {
				return err
			}
			if f.watch == 0 {
				return a.netstat(cmd.Context(), f, a.out)
			}
			ticker := time.NewTicker(time.Duration(f.watch))
			defer ticker.Stop()
			return a.watchNetstat(cmd.Context(), f, ticker.C)
		},
	}
	cmd.Flags().BoolVarP(&f.tcp, "tcp", "t", false, "TCP sockets; the default")
	cmd.Flags().BoolVarP(&f.udp, "udp", "u", false, "UDP sockets")
	cmd.Flags().BoolVarP(&f.raw, "raw", "w", false, "raw sockets")
	f.family.flags(cmd, "only sockets or groups of %s")
	cmd.Flags().BoolVarP(&f.info, "info", "i", false, "internal TCP information")
	cmd.Flags().BoolVarP(&f.groups, "groups", "g", false, "multicast groups instead of sockets")
	cmd.Flags().BoolVarP(&f.statistics, "statistics", "s", false, "counters and drop reasons instead of sockets")
	cmd.MarkFlagsMutuallyExclusive("groups", "statistics")
	cmd.Flags().Var(&f.watch, "watch", "repeat every N `seconds`")
	cmd.Flags().Lookup("watch").NoOptDefVal = "1"
	jsonFlag(cmd, &f.json)
	return cmd
}

// check takes the operand of --watch, and refuses invalid combinations.
func (f *netstatFlags) check(cmd *cobra.Command, args []string) error {
	if watch := cmd.Flags().Changed("watch"); !watch && len(args) > 0 {
		return usage("usage: tunstack %s", cmd.Use)
	} else if !watch {
		return nil
	}
	for _, text := range args {
		if err := f.watch.Set(text); err != nil {
			return usage("--watch %w", err)
		}
	}
	if time.Duration(f.watch) < minWatch {
		return usage("--watch %s: it must be at least %g s", &f.watch, minWatch.Seconds())
	}
	return nil
}

// netstat prints the output for f once.
func (a *app) netstat(ctx context.Context, f *netstatFlags, out io.Writer) error {
	if f.groups {
		return a.groups(ctx, f, out)
	}
	if f.statistics {
		rows, err := a.counters(ctx)
		if err != nil {
			return err
		}
		if f.json {
			return printJSON(out, rows)
		}
		printCounters(out, rows)
		return nil
	}
	return a.sockets(ctx, f, out)
}

// counters fetches the counters of all layers.
func (a *app) counters(ctx context.Context) (rows []socketapi.Counter, err error) {
	return rows, a.client().Get(ctx, "counters", &rows)
}

// sockets prints the sockets of the protocols in f, one by one.
func (a *app) sockets(ctx context.Context, f *netstatFlags, out io.Writer) error {
	shown := map[string]bool{"tcp": f.tcp || !f.udp && !f.raw, "udp": f.udp, "raw": f.raw}
	several := shown["tcp"] && shown["udp"] || shown["tcp"] && shown["raw"] || shown["udp"] && shown["raw"]
	var rows interface {
		add(socketapi.SocketInfo) error
		end() error
	} = &socketTable{w: out, withProtocol: several}
	if f.json {
		rows = &jsonRows[socketapi.SocketInfo]{w: out}
	}
	table := "sockets"
	if f.info {
		table = "details"
	}
	err := control.Each(ctx, a.client(), table, func(s socketapi.SocketInfo) error {
		if !shown[s.Protocol] || !f.family.has(s.Local.Addr()) {
			return nil
		}
		return rows.add(s)
	})
	if err != nil {
		return err
	}
	return rows.end()
}

// endText is one end of a socket, with ss's words for an unset address or port; six is whether the socket is of IPv6.
func endText(a netip.AddrPort, six bool) (addr, port string) {
	addr, port = "0.0.0.0", "*"
	switch {
	case a.Addr().Is6():
		addr = "[" + a.Addr().WithZone("").String() + "]"
		if zone := a.Addr().Zone(); zone != "" {
			addr += "%" + zone
		}
	case a.Addr().IsValid():
		addr = a.Addr().String()
	case six:
		addr = "[::]"
	}
	if a.Port() != 0 {
		port = strconv.Itoa(int(a.Port()))
	}
	return addr, port
}

// printCounters prints one counter per line.
func printCounters(w io.Writer, rows []socketapi.Counter) {
	width := nameWidth(rows)
	for _, c := range rows {
		fmt.Fprintf(w, "%-*s %12d  %s\n", width, c.Name, c.Value, meaning(c))
	}
}

func nameWidth(rows []socketapi.Counter) int {
	width := 0
	for _, c := range rows {
		width = max(width, len(c.Name))
	}
	return width
}

// meaning is the description of a counter, and its RFC section.
func meaning(c socketapi.Counter) string {
	if c.RFC == "" {
		return c.Doc
	}
	return c.Doc + " (" + c.RFC + ")"
}
