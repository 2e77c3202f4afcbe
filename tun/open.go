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

// DefaultMTU is the MTU in bytes for a Config without one: that of Ethernet (RFC 894).
const DefaultMTU = 1500

// Limits of Config.MTU in bytes. Every IPv4 link carries 68 (RFC 791 section 3.2). Linux limits a device's packets to 65,535 bytes with
// their Ethernet headers.
const (
	minMTU = 68
	maxMTU = 65535
)

// etherHeaderLen is the length of an Ethernet II header without tags, with which a TAP packet starts.
const etherHeaderLen = 14

// headerLen returns the length of the link header before the network header.
func (k Kind) headerLen() int {
	if k == TAP {
		return etherHeaderLen
	}
	return 0
}

// String returns "tun" or "tap".
func (k Kind) String() string {
	if k == TAP {
		return "tap"
	}
	return "tun"
}

// Config describes the interface that Open creates.
type Config struct {
	// Name of the interface; empty: the system chooses. On macOS only utun0, utun1 and so on are allowed, and with any other
	// name the system chooses, too.
	Name string
	// Kind of the interface. With the veth driver every device is a TAP one.
	Kind Kind
	// MTU in bytes; 0: DefaultMTU.
	MTU int
	// Driver is one of Drivers: "linux" (/dev/net/tun with virtio-net headers, offload and several queues; Linux only), "veth" (a pair of virtual
	// Ethernet interfaces and packet sockets, which needs no device file; Linux only), "water" (plain packets; portable), or "auto" (linux
	// or else water). Empty means auto.
	Driver string
	// Queues is the number of the device's queues; 0: 1. The water driver has one. With two or more the interface has
	// IFF_MULTI_QUEUE.
	Queues int
	// Offload lets super-packets and incomplete checksums cross the device, as far as the system supports that. The water driver has
	// no such support: it segments TCP super-packets when they are written, and on Linux joins consecutive TCP segments when they are read
	// (generic segmentation and receive offload).
	Offload bool
	// Hosts are the addresses of either family that the host gets on the interface, each with the length of its network.
	Hosts []netip.Prefix
	// MAC is the hardware address of the host's end of a TAP device; nil: the system chooses.
	MAC net.HardwareAddr
}

// Drivers lists the values of Config.Driver.
var Drivers = [...]string{"auto", "linux", "veth", "water"}

// Open creates a network interface, gives the host its addresses on it and brings it up. It returns when the
// interface is up. The interface exists until the Device is closed or the process ends.
//
// errors.Is finds fs.ErrPermission in the error if the caller may not create interfaces, fs.ErrNotExist if the system has no TUN
// device, and fs.ErrExist if an interface has the name already.
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

// software reports whether the water driver joins and segments TCP packets. Two of them must fit into a super-packet.
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

// label returns the name of the interface for an error.
func (cfg *Config) label() string {
	if cfg.Name == "" {
		return "a " + cfg.Kind.String() + " device"
	}
	return cfg.Name
}

// complete sets the defaults and returns an error for settings that are invalid.
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
		return fmt.Errorf("interface name %q is longer than 15 bytes", cfg.Name)
	case cfg.Driver == "water" && cfg.Queues > 1:
		return errors.New("the water driver has one queue")
	case cfg.MAC != nil && (cfg.Kind != TAP || len(cfg.MAC) != 6):
		return errors.New("a hardware address has 6 bytes and belongs to a TAP device")
	}
	for _, p := range cfg.Hosts {
		if !p.IsValid() || p.Addr().Is4In6() {
			return fmt.Errorf("%s is not an address of the host with the length of its network", p)
		}
	}
	return nil
}
