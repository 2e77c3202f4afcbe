package main

import (
	"log/slog"
	"net/netip"

	"tunstack/dhcp"
)

// startDHCP6 starts the DHCPv6 client of an interface that listens to routers; it waits for the flags of one. changed is called when the
// client has other addresses, and must not block.
func (n *node) startDHCP6(log *slog.Logger, changed func()) error {
	secret, err := userSecret()
	if err != nil {
		log.Warn("the client will be another at the next start", "reason", err)
	}
	client, err := dhcp.Start6(n.stack, n.dev, dhcp.Config{Secret: secret, Logger: log, Changed: func(dhcp.Info) { changed() }})
	if err != nil {
		return err
	}
	n.leases = append(n.leases, client)
	n.onClose(func() error { client.Stop(true); return nil })
	return nil
}

// leased is an address that a DHCP server has given; the zero Prefix if there is none yet.
func (n *node) leased() netip.Prefix {
	for _, c := range n.leases {
		for _, own := range c.Info().Addresses {
			return own
		}
	}
	return netip.Prefix{}
}
