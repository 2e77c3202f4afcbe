package main

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"tunstack/socketapi"
)

// routerPatience is how long `up --addr auto` waits for an address before it serves without. A router answers within seconds.
const routerPatience = 10 * time.Second

// addressed gives an interface its address, or lets it configure itself.
func addressed(i *socketapi.Interface, cfg upConfig, log *slog.Logger) {
	if cfg.dhcp {
		i.ACD = dhcpACD()
		return
	}
	if cfg.addr.IsValid() {
		i.Addrs = []netip.Prefix{cfg.addr}
		return
	}
	i.Autoconf.Mode = socketapi.AutoconfOn
	secret, err := userSecret()
	i.Autoconf.Secret = secret
	if err != nil {
		log.Warn("the addresses will be others at the next start", "reason", err)
	}
}

// learn waits until the stack has an address that it has formed from a router's prefix, or that a DHCPv6 server has given it because a
// router says so, and returns the address. If none comes it returns the link-local one.
func (n *node) learn(ctx context.Context, log *slog.Logger) (own netip.Prefix, err error) {
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	stop := n.stack.WatchAutoconf(func(socketapi.AutoconfInfo) { poke() })
	defer stop()
	if err := n.startDHCP6(log, poke); err != nil {
		return own, err
	}
	timeout := time.NewTimer(routerPatience)
	defer timeout.Stop()
	for {
		for _, info := range n.stack.Autoconf() {
			for _, own = range info.Addresses {
				if !own.Addr().IsLinkLocalUnicast() {
					return own, nil
				}
			}
		}
		if leased := n.leased(); leased.IsValid() {
			return leased, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return own, nil
		case <-timeout.C:
			log.Warn("no router on the link has advertised a prefix yet", "interface", n.dev)
			return own, nil
		}
	}
}
