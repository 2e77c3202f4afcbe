package socketapi

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"tunstack/ip"
)

// addresses brings the configured addresses into use. On Ethernet each is probed for first, so that it takes some seconds;
// when the last is decided, the routes follow, as a gateway has to be on a connected network.
type addresses struct {
	mu      sync.Mutex
	pending int
	errs    []error
	ready   chan struct{} // closed when all is decided
	routes  []Route
}

// claim starts, and ends at once unless addresses have to be probed for.
func (a *addresses) claim(s *Stack, cfg *Config) error {
	a.ready = make(chan struct{})
	a.pending = 1
	for n, i := range cfg.Interfaces {
		at := s.links[1+n]
		if i.Gateway.IsValid() {
			a.routes = append(a.routes, Route{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: i.Gateway, Interface: i.Name})
		}
		for _, addr := range i.Addrs {
			a.add(s, at, addr)
		}
	}
	a.routes = append(a.routes, cfg.Routes...)
	return a.decided(s, nil)
}

func (a *addresses) add(s *Stack, at attachment, addr netip.Prefix) {
	a.mu.Lock()
	a.pending++
	a.mu.Unlock()
	done := func(_ time.Duration, err error) {
		if err == nil {
			err = at.ip.AddAddress(addr)
		}
		if err != nil {
			err = fmt.Errorf("address %s: %w", addr, err)
		}
		_ = a.decided(s, err)
	}
	if at.ethernet == nil {
		done(0, nil)
		return
	}
	at.ethernet.Claim(s.Now(), addr.Addr(), done)
}

// decided counts one address as in use or given up. The last adds the routes. It returns the errors so far.
func (a *addresses) decided(s *Stack, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.errs = append(a.errs, err)
	}
	if a.pending--; a.pending == 0 {
		a.addRoutes(s.ip)
		close(a.ready)
	}
	return errors.Join(a.errs...)
}

func (a *addresses) addRoutes(stack *ip.Stack) {
	for _, r := range a.routes {
		if err := stack.AddRoute(r); err != nil {
			a.errs = append(a.errs, fmt.Errorf("route %s: %w", r.Prefix, err))
		}
	}
}

// Ready waits until all configured addresses are in use, which on Ethernet takes as long as probing for them. It returns
// an error, a *link.Conflict among them, when one cannot be used, and ctx's when that ends first.
func (s *Stack) Ready(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.addresses.ready:
	}
	s.addresses.mu.Lock()
	defer s.addresses.mu.Unlock()
	return errors.Join(s.addresses.errs...)
}
