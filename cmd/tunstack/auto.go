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

// learn waits until the stack has formed an address from a router's prefix, and returns it. If none comes it returns the link-local one.
func (n *node) learn(ctx context.Context, log *slog.Logger) (own netip.Prefix) {
	changed := make(chan struct{}, 1)
	stop := n.stack.WatchAutoconf(func(socketapi.AutoconfInfo) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer stop()
	timeout := time.NewTimer(routerPatience)
	defer timeout.Stop()
	for {
		for _, info := range n.stack.Autoconf() {
			for _, own = range info.Addresses {
				if !own.Addr().IsLinkLocalUnicast() {
					return own
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return own
		case <-timeout.C:
			log.Warn("no router on the link has advertised a prefix yet", "interface", n.dev)
			return own
		}
	}
}
