package main

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/cmd/internal/traceroute"
)

func (a *app) tracerouteCommand() *cobra.Command {
	cfg := traceroute.Config{Method: traceroute.UDP}
	var icmp, tcp, numeric bool
	var f family
	wait := seconds(5 * time.Second)
	cmd := &cobra.Command{
		Use:   "traceroute HOST",
		Short: "Show the routers on the way from the stack to a host",
		Long: `Shows the routers on the way from the stack to HOST as Linux's traceroute does. It sends probes with a
time to live (hop limit) of one router, then two and so on, and the router where a probe expires reports it: a line has
the hop, its address, and the round trip of each probe. * is a probe without an answer. !H, !N, !P and !X mean
that the probe could not go on: host, network or protocol unreachable, or prohibited.

The probes are datagrams to ports without a socket, from 33434 on; with -I echo requests, with -T
SYNs to port 80. Where a firewall drops one kind, another may pass. The stack's resolver looks up a name,
in IPv4 first, and the names of the routers.`,
		Example: `  tunstack traceroute 10.0.0.1
  tunstack traceroute fd00::1
  tunstack traceroute -n -w 1 -m 10 10.1.0.2
  tunstack traceroute -T -p 443 10.1.0.2     as far as a web server`,
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Host, cfg.Wait = args[0], time.Duration(wait)
			switch {
			case icmp:
				cfg.Method = traceroute.ICMP
			case tcp:
				cfg.Method = traceroute.TCP
			}
			if cmd.Flags().Changed("port") && cfg.Port == 0 {
				return checkPort(cfg.Port)
			}
			if err := checkTraceroute(&cfg); err != nil {
				return err
			}
			if !numeric {
				cfg.Names = a.names(cmd.Context())
			}
			return a.traceroute(cmd.Context(), f, cfg)
		},
	}
	f.flags(cmd, "use %s only")
	flags := cmd.Flags()
	flags.IntVarP(&cfg.Hops, "max-hops", "m", traceroute.DefaultHops, "try `N` hops at most")
	flags.IntVarP(&cfg.Queries, "queries", "q", traceroute.DefaultQueries, "send `N` probes to each hop")
	flags.VarP(&wait, "wait", "w", "`seconds` to wait for the answer to a probe")
	flags.BoolVarP(&numeric, "numeric", "n", false, "print addresses only")
	flags.BoolVarP(&icmp, "icmp", "I", false, "send echo requests")
	flags.BoolVarP(&tcp, "tcp", "T", false, "send TCP SYNs")
	flags.Uint16VarP(&cfg.Port, "port", "p", 0, "the first probe's `port`, or with -T all probes' (default 33434, or 80)")
	cmd.MarkFlagsMutuallyExclusive("icmp", "tcp")
	return cmd
}

// checkTraceroute sets the default port and refuses invalid values.
func checkTraceroute(cfg *traceroute.Config) error {
	given := cfg.Port != 0
	switch {
	case cfg.Hops < 1 || cfg.Hops > traceroute.MaxHops:
		return usage("traceroute: -m %d: it must be from 1 to %d", cfg.Hops, traceroute.MaxHops)
	case cfg.Queries < 1 || cfg.Queries > traceroute.MaxQueries:
		return usage("traceroute: -q %d: it must be from 1 to %d", cfg.Queries, traceroute.MaxQueries)
	case cfg.Wait <= 0:
		return usage("traceroute: -w must be more than 0 s")
	case given && cfg.Method == traceroute.ICMP:
		return usage("traceroute: -p: echo requests have no port")
	case !given && cfg.Method == traceroute.TCP:
		cfg.Port = traceroute.DefaultPortTCP
	case !given:
		cfg.Port = traceroute.DefaultPortUDP
	}
	if last := int(cfg.Port) + cfg.Hops*cfg.Queries - 1; cfg.Method == traceroute.UDP && last > 1<<16-1 {
		return usage("traceroute: -p %d: the last of %d probes would go to port %d", cfg.Port, cfg.Hops*cfg.Queries, last)
	}
	return nil
}

// traceroute opens the stack's sockets and runs.
func (a *app) traceroute(ctx context.Context, f family, cfg traceroute.Config) error {
	host, err := a.lookup(ctx, f, cfg.Host)
	if err != nil {
		return err
	}
	cfg.Addr = host.Addrs[0]
	if i := slices.IndexFunc(host.Addrs, netip.Addr.Is4); i >= 0 {
		cfg.Addr = host.Addrs[i]
	}
	of := icmpmsg.Of(cfg.Addr)
	dial := func(network string) (net.Conn, error) {
		return a.client().DialContext(ctx, network, cfg.Addr.String())
	}
	out, err := dial(traceroute.Network(of))
	if err != nil {
		return err
	}
	defer out.Close()
	if cfg.Local, err = checkedAddr(out.LocalAddr()); err != nil {
		return err
	}
	if cfg.Addr, err = checkedAddr(out.RemoteAddr()); err != nil {
		return err
	}
	icmp, err := dial(of.Socket())
	if err != nil {
		return err
	}
	defer icmp.Close()
	sockets := traceroute.Sockets{Out: out, ICMP: icmp}
	if cfg.Method != traceroute.ICMP {
		if sockets.Reply, err = dial(cfg.Method.Network(of)); err != nil {
			return err
		}
		defer sockets.Reply.Close()
	}
	return traceroute.Run(ctx, sockets, cfg, a.out)
}
