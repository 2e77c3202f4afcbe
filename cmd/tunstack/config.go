package main

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"tunstack/capture"
	"tunstack/dhcp/server"
	"tunstack/dns"
	"tunstack/ipv6"
	"tunstack/services"
	"tunstack/tcp"
	"tunstack/tun"
)

// upFlags are the values of the flags of `tunstack up`.
type upFlags struct {
	dev, addr, host, driver, services, mdns, dnsTLS, congestion, pcap, impair, logLevel string
	mtu, queues                                                                         int
	tap, sandbox, debugClock                                                            bool
	dns, forward                                                                        []string
	keepLease                                                                           bool
	leaseFile                                                                           string
}

// upConfig is the parsed form of upFlags.
type upConfig struct {
	dev      tun.Config
	addr     netip.Prefix     // of the stack; invalid: from a router, or by DHCP
	dhcp     bool             // --addr dhcp
	host     netip.Addr       // the host's end; invalid: without an address
	services string           // for services.Pick
	forward  []netip.AddrPort // servers for the dns service
	mdns     string           // the name in mDNS, without domain; "": none
	pcap     string
	impair   tun.Impairment
	logLevel slog.Level

	dnsServers   []netip.AddrPort // of --dns
	dnsTLS       string           // the name of these servers, by DNS over TLS; "": without
	machineNames dns.Settings     // of the machine's resolv.conf
	ownNames     bool             // ask the stack's own dns service

	congestion string // for tcp.Config
	debugClock bool
	sandbox    bool

	keepLease bool           // at the end
	leaseFile string         // "": the default
	leases    *server.Server // of the dhcp service; nil: it does not run

	// fallback is the interface to create if /dev/net/tun cannot be opened; nil: none. Only a sandbox has one.
	fallback *tun.Config
}

// parse checks the flags. All its errors are usage errors.
func (f *upFlags) parse() (upConfig, error) {
	c := upConfig{services: f.services, mdns: f.mdns, pcap: f.pcap, congestion: f.congestion, debugClock: f.debugClock,
		sandbox: f.sandbox, keepLease: f.keepLease, leaseFile: f.leaseFile}
	c.dev = tun.Config{Name: f.dev, MTU: f.mtu, Queues: f.queues, Driver: f.driver, Offload: true}
	if f.tap {
		c.dev.Kind = tun.TAP
	}
	err := c.addresses(f)
	if err != nil {
		return c, err
	}
	if f.sandbox && f.driver == "auto" && f.addr != auto {
		veth := c.dev
		veth.Driver = "veth"
		nameDevice(&veth)
		c.fallback = &veth
	}
	nameDevice(&c.dev)
	if err := c.nameServers(f); err != nil {
		return c, err
	}
	chosen, err := services.Pick(offered(counted{}, c), f.services)
	if err != nil {
		return c, usage("--services: %w", err)
	}
	if slices.Contains(services.Names(chosen), dhcpName) {
		if err := c.serveLeases(chosen); err != nil {
			return c, usage("--services dhcp: %w", err)
		}
	}
	if err := c.logLevel.UnmarshalText([]byte(f.logLevel)); err != nil {
		return c, usage("--log-level %s: it must be debug, info, warn or error", f.logLevel)
	}
	if f.impair != "" {
		if c.impair, err = tun.ParseImpairment(f.impair); err != nil {
			return c, usage("--impair: %w", err)
		}
	}
	return c, c.check(f)
}

// nameDevice chooses the name of an interface if none was given.
func nameDevice(dev *tun.Config) {
	switch {
	case dev.Name != "":
	case dev.Driver == "veth":
		dev.Name = "veth0"
	default:
		dev.Name = dev.Kind.String() + "0"
	}
}

// Limits of an IPv4 link's MTU (RFC 791 section 3.2).
const (
	minMTU = 68
	maxMTU = 65535
)

// maxQueues is the maximum of the kernel's tun driver (MAX_TAP_QUEUES).
const maxQueues = 256

func (c *upConfig) check(f *upFlags) error {
	switch {
	case len(c.dev.Name) > 15 || strings.ContainsAny(c.dev.Name, "/: \t\n") || strings.Trim(c.dev.Name, ".") == "":
		return usage("--dev %q: not a name for an interface", c.dev.Name)
	case f.mtu < minMTU || f.mtu > maxMTU:
		return usage("--mtu %d: it must be from %d to %d", f.mtu, minMTU, maxMTU)
	case !slices.Contains(tun.Drivers[:], f.driver):
		return usage("--driver %s: it must be %s", f.driver, oneOf(tun.Drivers[:]))
	case !slices.Contains(tcp.Algorithms, f.congestion):
		return usage("--congestion %s: it must be %s", f.congestion, oneOf(tcp.Algorithms))
	case f.queues < 1 || f.queues > maxQueues:
		return usage("--queues %d: it must be from 1 to %d", f.queues, maxQueues)
	case f.mdns != "" && !validLabel(f.mdns):
		return usage("--mdns %s: a name has up to 63 letters, digits and hyphens", f.mdns)
	case f.queues > 1 && f.driver == "water":
		return usage("--queues %d: the water driver supports one queue", f.queues)
	}
	if f.pcap == "" {
		return nil
	}
	if _, err := capture.FormatOf(f.pcap); err != nil {
		return usage("--pcap %w", err)
	}
	return nil
}

// defaultHost is the address of the host's end.
const defaultHost = "10.0.0.1"

// auto is the --addr that makes the stack take its addresses from a router.
const auto = "auto"

// checkAuto checks the flags that --addr auto excludes.
func (f *upFlags) checkAuto() error {
	switch {
	case f.host != defaultHost && f.host != "none":
		return usage("--host %s: with --addr auto the host is not in a network of the stack", f.host)
	case f.mtu < ipv6.MinMTU:
		return usage("--addr auto: IPv6 needs an --mtu of at least %d", ipv6.MinMTU)
	}
	return nil
}

// checkDHCP checks the flags that --addr dhcp excludes.
func (f *upFlags) checkDHCP() error {
	switch {
	case f.host != defaultHost && f.host != "none":
		return usage("--host %s: with --addr dhcp the network is the server's", f.host)
	case !f.tap && f.driver != "veth":
		return usage("--addr dhcp: it needs an Ethernet interface (--tap, or --driver veth)")
	}
	return nil
}

// addresses reads --addr and --host.
func (c *upConfig) addresses(f *upFlags) error {
	if f.addr == auto {
		return f.checkAuto()
	}
	if c.dhcp = f.addr == dhcpAddr; c.dhcp {
		return f.checkDHCP()
	}
	if f.keepLease || f.leaseFile != "" {
		return usage("--keep-lease and --lease-file need --addr dhcp")
	}
	addr, err := netip.ParsePrefix(f.addr)
	if err != nil || !addr.Addr().Is4() {
		return usage("--addr %s: it must be an IPv4 address with the length of its network, like 10.0.0.2/24, or auto", f.addr)
	}
	if !assignable(addr.Addr(), addr) {
		return usage("--addr %s: no host can have this address", f.addr)
	}
	c.addr = addr
	if f.host == "none" {
		return nil
	}
	host, err := netip.ParseAddr(f.host)
	switch {
	case err != nil || !host.Is4():
		return usage("--host %s: it must be an IPv4 address, or none", f.host)
	case !addr.Contains(host):
		return usage("--host %s: it must be in the stack's network, %s", f.host, addr.Masked())
	case host == addr.Addr():
		return usage("--host %s: it is the stack's address", f.host)
	case !assignable(host, addr):
		return usage("--host %s: no host can have this address", f.host)
	}
	c.host = host
	c.dev.Hosts = []netip.Prefix{netip.PrefixFrom(host, addr.Bits())}
	return nil
}

// assignable reports whether a host on the network may have address a: it is in none of the special ranges (RFC 1122 section
// 3.2.1.3), and it is neither the network's own address nor its broadcast address, unless the network has one or two addresses
// (RFC 3021).
func assignable(a netip.Addr, network netip.Prefix) bool {
	special := a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.As4()[0] == 0 || a.As4()[0] >= 240
	edge := network.Bits() < 31 && (a == network.Masked().Addr() || a == lastAddr(network))
	return !special && !edge
}

// oneOf lists alternatives: "a, b or c".
func oneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
