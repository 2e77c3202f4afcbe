package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tunstack/internal/netns"
	"tunstack/tcp"
)

func (a *app) upCommand() *cobra.Command {
	f := &upFlags{}
	cmd := &cobra.Command{
		Use:   "up [flags] [--sandbox [-- CMD [ARG...]]]",
		Short: "Run a stack and its services",
		Long: `Creates a network interface, runs a TCP/IP stack on it, and serves until it is interrupted
(Ctrl-C). The host is at the other end of the interface: its packets to the stack's
network go to the stack. A line that starts with "ready" is printed when the stack answers.

This needs the privilege to create interfaces: sudo, or the capability cap_net_admin. With
--sandbox it needs none: the stack, its interface and a shell or the command CMD get a
network namespace of their own (Linux), which ends with the shell or the command. Where
/dev/net/tun cannot be opened, the sandbox uses a veth pair instead (--driver veth).

Services:
` + serviceList(),
		Example: `  tunstack up --sandbox
  tunstack up --sandbox -- ping -c 3 10.0.0.2
  sudo tunstack up --addr 192.168.7.2/24 --host 192.168.7.1
  sudo tunstack up --tap --services echo,knock --pcap packets.pcapng
  sudo tunstack up --addr auto
  sudo tunstack up --tap --addr dhcp
  tunstack up --sandbox --impair loss=5%,delay=20ms`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && !f.sandbox {
				return usage("up: %s: a command to run needs --sandbox", args[0])
			}
			cfg, err := f.parse()
			if err != nil {
				return err
			}
			useProcessors(cfg.dev.Queues)
			if f.sandbox {
				return a.sandbox(cmd, cfg, args)
			}
			return a.up(cmd.Context(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // the options behind CMD are CMD's
	flags.StringVar(&f.dev, "dev", "", "`name` of the interface (default tun0, with --tap tap0)")
	flags.BoolVar(&f.tap, "tap", false, "an Ethernet interface (TAP), where the stack does ARP and neighbour discovery")
	flags.StringVar(&f.addr, "addr", "10.0.0.2/24", "the stack's `address` and network, or auto: IPv6 addresses as a router on the link advertises,\nor dhcp: an IPv4 address from a DHCP server, on an Ethernet interface")
	flags.BoolVar(&f.keepLease, "keep-lease", false, "with --addr dhcp: do not give the lease back at the end, and ask for it at the next start")
	flags.StringVar(&f.leaseFile, "lease-file", "", "with --addr dhcp: keep the lease in `file` (default a file of the user's for each interface,\nin a sandbox none)")
	flags.StringVar(&f.host, "host", defaultHost, "`address` of the host's end, or none")
	flags.StringVar(&f.dnsTLS, "dns-tls", "", "ask name servers by DNS over TLS (port 853), and check that they have this `name`")
	flags.StringArrayVar(&f.dns, "dns", nil, "`address` of a name server, perhaps with a port, or none; more than once for several (default those of\n/etc/resolv.conf, in a sandbox the stack's own)")
	flags.IntVar(&f.mtu, "mtu", 1500, "largest IP datagram in `bytes`")
	flags.StringVar(&f.driver, "driver", "auto", "auto, linux (/dev/net/tun with offload), veth (Ethernet; needs no device file)\nor water (portable)")
	flags.IntVar(&f.queues, "queues", 1, "`number` of queues of the interface, each read on its own processor")
	flags.StringVar(&f.services, "services", "all", "`list` of services with commas between, all or none")
	flags.StringArrayVar(&f.forward, "dns-forward", nil, "`address` of a server that the dns service asks for names that are not the stack's; more than once\nfor several")
	flags.StringVar(&f.mdns, "mdns", "", "answer to `name`.local by multicast DNS (RFC 6762); without =NAME to "+mdnsName+".local")
	flags.Lookup("mdns").NoOptDefVal = mdnsName
	flags.StringVar(&f.congestion, "congestion", tcp.Algorithms[0], "TCP's congestion control: "+oneOf(tcp.Algorithms))
	flags.StringVar(&f.pcap, "pcap", "", "record all packets in `file`, .pcap or .pcapng; the latter with a comment on each")
	flags.StringVar(&f.impair, "impair", "", "simulate a bad link as tc-netem does, by `words`: loss=1%,delay=20ms,jitter=5ms,\nreorder=1%,duplicate=1%,corrupt=0.1%,rate=100mbit; in. or out. before a word\nmeans one direction")
	flags.StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error")
	flags.BoolVar(&f.debugClock, "debug-clock", false, "stop the stack's time while the process is stopped; always on under a debugger")
	flags.BoolVar(&f.sandbox, "sandbox", false, "run in a new network namespace, with $SHELL or CMD")
	return cmd
}

func serviceList() string {
	var lines []string
	for _, s := range offered(counted{}, upConfig{}) {
		lines = append(lines, "  "+s.String())
	}
	return strings.Join(lines, "\n")
}

// up runs a stack on this machine's network until ctx ends, which is a success, or its interface fails, which is an error.
func (a *app) up(ctx context.Context, cfg upConfig) error {
	n, err := start(ctx, cfg, a.control, slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: cfg.logLevel})))
	if err != nil {
		return explain(err, cfg)
	}
	n.announce(a.out, cfg, "From the stack's side, in another terminal", "Ctrl-C ends it.")
	select {
	case <-ctx.Done():
		return n.close()
	case err := <-n.failed:
		return errors.Join(err, n.close())
	}
}

// sandbox runs a stack and a command, without args the user's shell, in a new namespace, and ends with the command's status.
// The program runs itself again inside the namespace.
func (a *app) sandbox(cmd *cobra.Command, cfg upConfig, args []string) error {
	if !netns.Inside() {
		status, err := netns.Run(netns.Reexec(a.args...))
		if err != nil {
			err = fmt.Errorf("%w; \"tunstack trace --sim\" and \"tunstack step --sim\" work without it", err)
		}
		return exit(status, err)
	}
	if err := netns.SetupLoopback(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tunstack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if !cmd.Flags().Changed("control") {
		a.control = filepath.Join(dir, "control.sock") // two sandboxes do not share one
	}
	return a.inside(cmd.Context(), cfg, dir, args)
}

// inside runs the stack and the command within the namespace. dir is for files of the sandbox.
func (a *app) inside(ctx context.Context, cfg upConfig, dir string, args []string) error {
	if err := equip(a.control); err != nil {
		return err
	}
	child, out, err := a.command(args)
	if err != nil {
		return err
	}
	n, err := start(ctx, cfg, a.control, slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: cfg.logLevel})))
	if err != nil {
		return explainInside(err)
	}
	defer n.close()
	covers, err := n.resolveBy(dir)
	if err != nil {
		return err
	}
	n.announce(out, cfg, "From the stack's side, here too", "The sandbox ends with this command.")
	status, err := netns.Run(netns.Isolate(child, covers...))
	if failure := n.failure(); failure != nil {
		return failure
	}
	return exit(status, err)
}
