package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// DefaultMTU is the MTU of an interface whose Config names none, in octets: that of an Ethernet (RFC 894).
const DefaultMTU = 1500

// Limits of Config.MTU in octets. Every IPv4 link carries 68 (RFC 791 section 3.2); an Ethernet frame's header
// comes off what Linux lets a device carry.
const (
	minMTU = 68
	maxMTU = 65535
)

// etherHeaderLen is what a TAP packet has in front of the network header: an Ethernet II header without tags.
const etherHeaderLen = 14

// headerLen is the length of the link header in front of the network header.
func (k Kind) headerLen() int {
	if k == TAP {
		return etherHeaderLen
	}
	return 0
}

// String is "tun" or "tap".
func (k Kind) String() string {
	if k == TAP {
		return "tap"
	}
	return "tun"
}

// Config says which interface Open creates.
type Config struct {
	// Name of the interface; empty leaves the choice to the system. macOS allows none but utun0, utun1, ..., and
	// any other name there leaves the choice to the system too.
	Name string
	// Kind of the interface. The veth driver knows only TAP, which it takes TUN for.
	Kind Kind
	// MTU in octets; 0 means DefaultMTU.
	MTU int
	// Driver is one of Drivers: "linux" (/dev/net/tun with virtio-net headers, offload, several queues; Linux only), "veth" (a pair of virtual
	// Ethernet interfaces and packet sockets, which needs no device file; Linux only), "water" (plain packets, portable), or "auto", as
	// is the empty string: the best the system has.
	Driver string
	// Queues is how many ways in and out the device has; 0 means 1. The water driver has just one. The
	// interface is a multi-queue one (IFF_MULTI_QUEUE) only with two or more, so that one of them stays as plain as can be.
	Queues int
	// Offload lets super-packets and incomplete checksums cross the device, as far as the system takes part. With the water
	// driver it does not; there TCP super-packets are cut as they are written, and on Linux segments that wait and follow each other
	// are joined as they are read (generic segmentation and receive offload).
	Offload bool
	// Host is the address of the host's end and the network that the host reaches through it. The zero Prefix
	// leaves the host's addresses alone.
	Host netip.Prefix
	// MAC is the hardware address of the host's end of a TAP device; nil leaves the choice to the system.
	MAC net.HardwareAddr
}

// Drivers are the values of Config.Driver.
var Drivers = [...]string{"auto", "linux", "veth", "water"}

// Open creates a network interface, gives the host its address there and brings it up. It returns when the
// interface is up; the interface lasts until the Device is closed or the process ends, however it ends.
//
// errors.Is tells the usual failures apart: fs.ErrPermission when the caller may not create interfaces,
// fs.ErrNotExist when the system has no TUN device, fs.ErrExist when the name is taken.
func Open(cfg Config) (Device, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("tun: %w", err)
	}
	d, err := open(cfg)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("tun: %w", err) // which names the interface
	case err != nil:
		return nil, fmt.Errorf("tun: open %s: %w", cfg.label(), err)
	}
	if err := configureHost(d.Name(), cfg); err != nil {
		d.Close()
		return nil, fmt.Errorf("tun: configure %s: %w", d.Name(), err)
	}
	return d, nil
}

// software says whether the water driver is to join segments and to cut them: two fit one packet.
func (cfg *Config) software() bool { return cfg.Offload && cfg.MTU <= maxMTU/2 }

func open(cfg Config) (Device, error) {
	if err := checkFree(cfg.Name, cfg.Driver); err != nil {
		return nil, err
	}
	switch cfg.Driver {
	case "linux":
		return openLinux(cfg)
	case "veth":
		return openVeth(cfg)
	}
	return openWater(cfg)
}

// label names the interface in an error.
func (cfg *Config) label() string {
	if cfg.Name == "" {
		return "a " + cfg.Kind.String() + " device"
	}
	return cfg.Name
}

// complete fills in the defaults and refuses what makes no sense.
func (cfg *Config) complete() error {
	if cfg.Driver == "" || cfg.Driver == "auto" {
		cfg.Driver = bestDriver
	}
	if cfg.Driver == "veth" {
		cfg.Kind = TAP
	}
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	cfg.Queues = max(cfg.Queues, 1)
	limit := maxMTU - cfg.Kind.headerLen()
	switch {
	case !slices.Contains(Drivers[:], cfg.Driver):
		return fmt.Errorf("unknown driver %q; valid: %s", cfg.Driver, strings.Join(Drivers[:], ", "))
	case cfg.MTU < minMTU || cfg.MTU > limit:
		return fmt.Errorf("MTU %d is not between %d and %d", cfg.MTU, minMTU, limit)
	case len(cfg.Name) > 15:
		return fmt.Errorf("interface name %q is longer than 15 octets", cfg.Name)
	case cfg.Driver == "water" && cfg.Queues > 1:
		return errors.New("the water driver has one queue")
	case cfg.MAC != nil && (cfg.Kind != TAP || len(cfg.MAC) != 6):
		return errors.New("a hardware address has 6 octets and belongs to a TAP device")
	case cfg.Host.IsValid() && !cfg.Host.Addr().Is4():
		return fmt.Errorf("host address %s is not an IPv4 address", cfg.Host)
	}
	return nil
}
