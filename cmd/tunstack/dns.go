package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tunstack/cmd/internal/dig"
	resolver "tunstack/dns"
	"tunstack/internal/netns"
	"tunstack/services"
	"tunstack/services/dns"
	"tunstack/services/mdns"
	"tunstack/socketapi"
)

// offered lists the services of up for a stack; the zero value is enough when only their names matter.
func offered(stack counted, cfg upConfig) []services.Service {
	if stack.Stack == nil {
		return inOrder(services.All(nil), dns.Service(dns.Config{}), dhcpService(nil))
	}
	hosts := func() []dns.Host { return hostsOf(stack.Stack, cfg) }
	names := dns.Service(dns.Config{Hosts: hosts, Forward: cfg.forward, Dial: stack.DialContext})
	return inOrder(services.All(stack), names, dhcpService(cfg.leases))
}

// hostsOf are the names of a stack and of its host.
func hostsOf(stack *socketapi.Stack, cfg upConfig) []dns.Host {
	return []dns.Host{{Name: services.Name, Addrs: lasting(stack)}, {Name: "host." + services.Name, Addrs: cfg.hosts()}}
}

// knowNames makes the stack know its own names, whatever its servers are, and in a sandbox ask its own name server for the others.
func (n *node) knowNames(cfg upConfig) {
	n.stack.Resolver().Handle(services.Name, func(_ context.Context, _, name string) ([]netip.Addr, error) {
		for _, h := range hostsOf(n.stack, cfg) {
			if strings.EqualFold(h.Name, strings.TrimSuffix(name, ".")) {
				return h.Addrs, nil
			}
		}
		return nil, resolver.ErrNoName
	})
	if cfg.ownNames {
		n.stack.SetNameServers(socketapi.NameServers{Source: socketapi.NamesOwn, Servers: []netip.AddrPort{ownServer}})
	}
}

// ownServer is the dns service as the stack itself reaches it.
var ownServer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dig.Port)

// inOrder adds services to a list, in the order of the ports.
func inOrder(list []services.Service, more ...services.Service) []services.Service {
	list = append(list, more...)
	slices.SortStableFunc(list, func(a, b services.Service) int { return cmp.Compare(a.Port, b.Port) })
	return list
}

// lasting are the addresses of a stack by which others can reach it for longer: neither tentative, temporary or deprecated, nor of one link.
func lasting(stack *socketapi.Stack) (list []netip.Addr) {
	for _, i := range stack.Interfaces() {
		for _, a := range i.Addresses {
			if addr := a.Prefix.Addr(); !i.Loopback && !a.Tentative && !a.Temporary && !a.Deprecated && !addr.IsLinkLocalUnicast() {
				list = append(list, addr)
			}
		}
	}
	return list
}

// hosts are the addresses of the host's end.
func (c *upConfig) hosts() (list []netip.Addr) {
	for _, p := range c.dev.Hosts {
		list = append(list, p.Addr())
	}
	return list
}

// resolveBy makes the covers that let the command of a sandbox ask the stack's name server, in a file in dir. The C library may ask
// systemd-resolved or nscd instead of the servers in resolv.conf, which would not know the stack: their sockets are hidden.
func (n *node) resolveBy(dir string) ([]netns.Cover, error) {
	var text strings.Builder
	for _, a := range lasting(n.stack) {
		fmt.Fprintf(&text, "nameserver %s\n", a)
	}
	if text.Len() == 0 || !slices.Contains(services.Names(n.services), "dns") {
		return nil, nil
	}
	file := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return nil, err
	}
	return []netns.Cover{
		{Path: "/etc/resolv.conf", With: file},
		{Path: "/run/systemd/resolve/io.systemd.Resolve", With: os.DevNull},
		{Path: "/run/nscd/socket", With: os.DevNull},
	}, nil
}

// mdnsName is the name that --mdns means.
const mdnsName = "tunstack"

// validLabel reports whether a word can be the first label of a host's name (RFC 1123 section 2.1).
func validLabel(word string) bool {
	return len(word) <= 63 && word == strings.Trim(word, "-") && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

// startMDNS gives the stack a name in the domain local, if the flags ask for that.
func (n *node) startMDNS(cfg upConfig, log *slog.Logger) error {
	if cfg.mdns == "" {
		return nil
	}
	r, err := mdns.Start(n.stack, cfg.mdns, log)
	if err != nil {
		return fmt.Errorf("--mdns: %w", err)
	}
	n.stack.Resolver().Handle("local", func(ctx context.Context, network, name string) ([]netip.Addr, error) {
		addrs, err := r.Lookup(ctx, network, name)
		if errors.Is(err, mdns.ErrNotFound) {
			err = resolver.ErrNoName
		}
		return addrs, err
	})
	n.onClose(r.Close)
	return nil
}
