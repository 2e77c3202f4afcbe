package socketapi

import (
	"io"
	"net/netip"
	"slices"

	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/ipv6/autoconf"
)

// Autoconf says what an interface configures by itself in IPv6 (RFC 4862).
type Autoconf struct {
	Mode AutoconfMode

	// Temporary forms temporary addresses beside the stable ones, and prefers them as sources of connections (RFC 8981).
	Temporary bool
	// Secret, of at least 16 bytes, is the key of the stable identifiers (RFC 7217): a program that keeps it, and names the interface
	// alike, gets the same addresses again. nil: the addresses differ at each start. With another Network they differ, too.
	Secret  []byte
	Network string
	// EUI64 forms the addresses from the MAC of a TAP device instead.
	EUI64 bool
	// MinHopLimit is the smallest hop limit that a router may set; 0: 32.
	MinHopLimit uint8
}

// AutoconfMode selects what an interface configures by itself.
type AutoconfMode uint8

const (
	// AutoconfDefault gives an interface with an IPv6 address a link-local one, too, unless it has one in Addrs. On a TAP device it also
	// listens to routers, if the stack is not one itself.
	AutoconfDefault AutoconfMode = iota
	// AutoconfOn gives the interface a link-local address, unless it has one in Addrs, and listens to routers.
	AutoconfOn
	// AutoconfOff leaves all to the program.
	AutoconfOff
)

// AutoconfInfo is what an interface has configured by itself, and what routers advertise for other programs.
type AutoconfInfo = autoconf.Info

// configure makes the Host of an interface.
func (s *Stack) configure(a *attachment, c *Interface, random io.Reader) error {
	if c.Autoconf.Mode == AutoconfOff || a.ip.MTU() < ipv6.MinMTU {
		return nil
	}
	cfg := autoconf.Config{
		Interface: a.ip, Timers: &s.timers, Rand: random,
		Temporary: c.Autoconf.Temporary, EUI64: c.Autoconf.EUI64, Secret: c.Autoconf.Secret, Network: c.Autoconf.Network,
		MinHopLimit: c.Autoconf.MinHopLimit,
		LinkLocal:   !slices.ContainsFunc(c.Addrs, func(p netip.Prefix) bool { return ip.IsLinkLocal6(p.Addr()) }),
		Routers:     c.Autoconf.Mode == AutoconfOn || a.ethernet != nil && !s.ip.Config().Forwarding,
		Refused: func(addr netip.Addr, err error) {
			s.log.Warn("an address that the stack has formed cannot be used", "interface", c.Name, "address", addr, "error", err)
		},
		Changed: func(info AutoconfInfo) {
			s.learnServers(info)
			s.autoconfs.tell(info)
		},
	}
	if a.ethernet != nil {
		cfg.MAC = a.ethernet.MAC()
	}
	var err error
	if a.host, err = autoconf.New(cfg); err == nil {
		a.ip.SetRouterListener(a.host)
	}
	return err
}

// Autoconf lists what the interfaces have configured by themselves.
func (s *Stack) Autoconf() (rows []AutoconfInfo) {
	for _, a := range s.links {
		if a.host != nil {
			rows = append(rows, a.host.Info())
		}
	}
	return rows
}

// WatchAutoconf calls changed with the AutoconfInfo of an interface whenever it has changed, until stop is called. changed runs on the
// goroutine of the stack's timers, or of Advance, and must not block; a call that has begun may end after stop.
func (s *Stack) WatchAutoconf(changed func(AutoconfInfo)) (stop func()) {
	return s.autoconfs.add(changed)
}
