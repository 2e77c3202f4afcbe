package socketapi

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"tunstack/ip"
)

// addresses brings the configured addresses into use. On Ethernet the stack probes for each address first, which takes some seconds.
// The routes follow when all addresses are in use or refused, because a gateway has to be on a connected network.
type addresses struct {
	mu      sync.Mutex
	pending int
	errs    []error
	ready   chan struct{} // closed when every address is in use or refused
	routes  []Route
}

// claim starts to bring the addresses into use. It returns their errors if no address has to be probed for.
func (a *addresses) claim(s *Stack, cfg *Config) error {
	a.ready = make(chan struct{})
	a.pending = 1
	for n, i := range cfg.Interfaces {
		at := s.links[1+n]
		if i.Gateway.IsValid() {
			a.routes = append(a.routes, Route{Prefix: defaultPrefix(i.Gateway), Gateway: i.Gateway, Interface: i.Name})
		}
		if i.Autoconf.Mode == AutoconfOn {
			at.startAutoconf(s.Now())
		}
		for _, addr := range i.Addrs {
			a.add(s, at, addr)
		}
	}
	a.routes = append(a.routes, cfg.Routes...)
	return a.decided(s, nil)
}

// defaultPrefix is the prefix of all addresses of a's family.
func defaultPrefix(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

func (a *addresses) add(s *Stack, at attachment, addr netip.Prefix) {
	a.mu.Lock()
	a.pending++
	a.mu.Unlock()
	at.addAddress(s.Now(), addr, func(err error) { _ = a.decided(s, err) })
}

// addAddress brings an address into use, on Ethernet once it is claimed, and calls done.
func (at attachment) addAddress(now time.Duration, addr netip.Prefix, done func(error)) {
	decided := func(_ time.Duration, err error) {
		if err != nil {
			err = fmt.Errorf("address %s: %w", addr, err)
		}
		done(err)
	}
	if addr.Addr().Is6() {
		at.startAutoconf(now)
	}
	at.ip.Assign(now, ip.Address{Prefix: addr, Preferred: Forever, Valid: Forever}, decided)
}

// startAutoconf starts the configuration of IPv6, at the latest with the first address.
func (at attachment) startAutoconf(now time.Duration) {
	if at.host != nil {
		at.host.Start(now)
	}
}

// AddAddress gives an interface one more address. On Ethernet it probes first, and waits as Ready does until the address may be used; when
// ctx ends it withdraws the address and returns ctx's error. Other errors: ENODEV without such an interface, EEXIST for an address that the
// stack has, EINVAL for an address that no host can have, and *link.Conflict when another host has it.
func (s *Stack) AddAddress(ctx context.Context, device string, addr netip.Prefix) error {
	at, err := s.attachment(device)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	at.addAddress(s.Now(), addr, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		_ = s.RemoveAddress(device, addr.Addr()) // EADDRNOTAVAIL if it was refused meanwhile
		return ctx.Err()
	}
}

// RemoveAddress removes an address from an interface, and with the last address of a network the routes through that network. As on Linux,
// sockets bound to the address stay bound, and no packet reaches them. Their sends fail, in Linux only those over IPv4. Errors: ENODEV
// without such an interface, EADDRNOTAVAIL for an address that it does not have.
func (s *Stack) RemoveAddress(device string, addr netip.Addr) error {
	at, err := s.attachment(device)
	if err != nil {
		return err
	}
	return at.ip.RemoveAddress(addr)
}

// attachment is the interface of that name.
func (s *Stack) attachment(device string) (attachment, error) {
	for _, a := range s.links {
		if a.name == device {
			return a, nil
		}
	}
	return attachment{}, syscall.ENODEV
}

// decided counts one address as in use or refused. The last adds the routes. It returns the errors so far.
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
// the errors of the addresses that cannot be used, *link.Conflict among them, or ctx's error when ctx ends first.
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
