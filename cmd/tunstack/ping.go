package main

import (
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/cmd/internal/ping"
)

// minInterval prevents a mistyped -i from becoming a flood.
const minInterval = time.Millisecond

func (a *app) pingCommand() *cobra.Command {
	var cfg ping.Config
	var f family
	var numeric bool
	interval, wait := seconds(time.Second), seconds(10*time.Second)
	cmd := &cobra.Command{
		Use:   "ping HOST",
		Short: "Send echo requests from the stack",
		Long: `Sends echo requests of ICMP or ICMPv6 from the stack and prints the replies and statistics as
Linux's ping does. It runs until it is interrupted (Ctrl-C) or -c requests are answered, and
exits 1 without any reply. The stack's resolver looks up a name, and the names of the hosts that reply,
but not if HOST is an address. The address of one link (fe80::...) has the name of the stack's interface behind it if the stack has several.`,
		Example: `  tunstack ping 10.0.0.1
  tunstack ping fd00::1
  tunstack ping fe80::1%tun0
  tunstack ping -c 3 -s 8000 10.0.0.1     in fragments`,
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Host, cfg.Interval, cfg.Wait = args[0], time.Duration(interval), time.Duration(wait)
			switch {
			case cfg.Count < 0 || cmd.Flags().Changed("count") && cfg.Count == 0:
				return usage("ping: -c %d: the count must be at least 1", cfg.Count)
			case cfg.Size < 0 || cfg.Size > ping.MaxSize(any6):
				return badSize(cfg.Size, any6)
			case cfg.Interval < minInterval:
				return usage("ping: -i %s: the interval must be at least %g s", &interval, minInterval.Seconds())
			}
			return a.ping(cmd, f, cfg, numeric)
		},
	}
	f.flags(cmd, "use %s only")
	cmd.Flags().IntVarP(&cfg.Count, "count", "c", 0, "stop after `N` requests")
	cmd.Flags().IntVarP(&cfg.Size, "size", "s", ping.DefaultSize, "payload of `SIZE` bytes")
	cmd.Flags().BoolVarP(&numeric, "numeric", "n", false, "print addresses only")
	cmd.Flags().VarP(&interval, "interval", "i", "`seconds` from one request to the next")
	cmd.Flags().VarP(&wait, "wait", "W", "`seconds` to wait for a reply after the last request, if there has been none")
	return cmd
}

// badSize is the error for a payload that no datagram to an address holds.
func badSize(size int, to netip.Addr) error {
	return usage("ping: -s %d: the size must be from 0 to %d", size, ping.MaxSize(to))
}

func (a *app) ping(cmd *cobra.Command, f family, cfg ping.Config, numeric bool) error {
	host, err := a.lookup(cmd.Context(), f, cfg.Host)
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(cfg.Host); err != nil && !numeric {
		cfg.Names = a.names(cmd.Context())
	}
	cfg.Host, cfg.Addr = host.Canonical, host.Addrs[0]
	if cfg.Size > ping.MaxSize(cfg.Addr) {
		return badSize(cfg.Size, cfg.Addr)
	}
	c, err := a.client().DialContext(cmd.Context(), icmpmsg.Of(cfg.Addr).Socket(), cfg.Addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	if cfg.Addr, err = checkedAddr(c.RemoteAddr()); err != nil {
		return err
	}
	stats, err := ping.Run(cmd.Context(), c, cfg, a.out)
	if err == nil && stats.Received == 0 {
		return exitStatus(exitFailure)
	}
	return err
}
