package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tunstack/dhcp"
	"tunstack/dhcp/server"
	"tunstack/internal/stats"
	"tunstack/link"
	"tunstack/services"
	"tunstack/socketapi"
)

// dhcpAddr is the --addr that makes the stack take its IPv4 address from a DHCP server.
const dhcpAddr = "dhcp"

// dhcpPatience is how long `up --addr dhcp` waits for an address before it serves without: longer than the client waits for a server before
// it takes a link-local address.
const dhcpPatience = 15 * time.Second

// dhcpACD probes as quickACD does, and gives an address up that another host insists on: the client then gets another one.
func dhcpACD() link.ACD {
	acd := quickACD
	acd.Defence = link.Once
	return acd
}

// leasePath is the default of --lease-file: a file of the user's for each interface.
func leasePath(device string) (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "tunstack", "lease-"+device+".json"), nil
}

// startDHCP starts a DHCP client, and returns the address of the stack when it has one; the zero Prefix if it has none yet.
func (n *node) startDHCP(ctx context.Context, cfg upConfig, log *slog.Logger) (netip.Prefix, error) {
	config := dhcp.Config{LeaseFile: cfg.leaseFile, Hostname: "tunstack", LinkLocal: true, Delay: -1, Logger: log}
	var err error
	if config.Secret, err = userSecret(); err != nil {
		log.Warn("the client will be another at the next start", "reason", err)
	}
	if config.LeaseFile == "" && !cfg.sandbox {
		if config.LeaseFile, err = leasePath(n.dev); err != nil {
			log.Warn("the lease is not kept", "reason", err)
		}
	}
	got := make(chan dhcp.Info, 1)
	config.Changed = func(i dhcp.Info) {
		if len(i.Addresses) > 0 || i.LinkLocal.IsValid() {
			select {
			case got <- i:
			default: // only the first counts
			}
		}
	}
	client, err := dhcp.Start(n.stack, n.dev, config)
	if err != nil {
		return netip.Prefix{}, err
	}
	n.leases = append(n.leases, client)
	n.onClose(func() error { client.Stop(!cfg.keepLease); return nil })
	select {
	case i := <-got:
		return append(i.Addresses, i.LinkLocal)[0], nil
	case <-ctx.Done():
	case <-time.After(dhcpPatience):
	}
	return netip.Prefix{}, nil
}

// dhcpName is the service that gives out addresses.
const dhcpName = "dhcp"

// dhcpService is the service with a server, which is nil if it does not run.
func dhcpService(s *server.Server) services.Service {
	run := func(net.PacketConn) {}
	if s != nil {
		run = s.Serve
	}
	return services.Service{Name: dhcpName, Port: 67, Doc: "gives out IPv4 addresses of the stack's network; runs only if it is named", UDP: run, Named: true}
}

// serveLeases makes the server of the dhcp service. Its clients use the host as router, as the stack does, and the stack's name server if
// that is chosen, too.
func (c *upConfig) serveLeases(chosen []services.Service) (err error) {
	if !c.addr.IsValid() {
		return errors.New("the stack needs an IPv4 address of its own (--addr)")
	}
	cfg := server.Config{Addr: c.addr, MTU: c.dev.MTU}
	if c.host.IsValid() {
		cfg.Routers, cfg.Exclude = []netip.Addr{c.host}, []netip.Addr{c.host}
	}
	if slices.Contains(services.Names(chosen), "dns") {
		cfg.DNS = []netip.Addr{c.addr.Addr()}
	}
	c.leases, err = server.New(cfg)
	return err
}

// counter is a part of the node with counters of its own.
type counter interface{ Stats() any }

// lessee is a DHCP client.
type lessee interface {
	counter
	Info() dhcp.Info
}

// Leases lists what the DHCP clients have got.
func (h host) Leases() (rows []dhcp.Info) {
	for _, c := range h.leases {
		rows = append(rows, c.Info())
	}
	return rows
}

// counted is a stack with the counters of DHCP beside its own.
type counted struct {
	*socketapi.Stack
	more []counter
}

// Counters are those of the stack, and the others.
func (c counted) Counters() []socketapi.Counter {
	rows := c.Stack.Counters()
	for _, m := range c.more {
		rows = append(rows, stats.Read(m.Stats())...)
	}
	return rows
}

// counted is the node's stack with the counters of its DHCP clients and of server, which is nil if it does not run.
func (n *node) counted(server *server.Server) counted {
	c := counted{Stack: n.stack}
	for _, l := range n.leases {
		c.more = append(c.more, l)
	}
	if server != nil {
		c.more = append(c.more, server)
	}
	return c
}
