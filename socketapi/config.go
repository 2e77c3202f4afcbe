package socketapi

import (
	"io"
	"log/slog"
	"net/netip"
	"time"

	"tunstack/dns"
	"tunstack/icmp"
	"tunstack/internal/clock"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/link"
	tcpsocket "tunstack/tcp/socket"
	"tunstack/tun"
	"tunstack/udp"
)

// Config describes a Stack. The zero value is a stack with only the loopback interface.
type Config struct {
	Interfaces []Interface // besides the loopback, which every stack has
	Routes     []Route     // besides those to the connected networks and the Gateways of the Interfaces

	// Clock is the source of time; nil: the machine's clock. With a *VirtualClock the stack starts no goroutines but those of a
	// lookup of a name: it runs only inside calls of Advance, Inject and the socket calls.
	Clock Clock
	// Rand is a cryptographic random source, read by New only; nil: crypto/rand.
	Rand io.Reader
	// Logger receives a record when another host uses an address of the stack; nil: slog.Default.
	Logger *slog.Logger
	// DeviceFailed is called, on a goroutine of the stack, when a device cannot be read any more although the stack has not closed it: its interface
	// was deleted. The stack continues with its other interfaces. nil: Logger receives a record.
	DeviceFailed func(device string, err error)

	// The layers' own settings. New sets their fields Clock, Timers, Rand and Secret.
	IP   ip.Config
	IPv4 ipv4.Config
	IPv6 ipv6.Config
	ICMP icmp.Config
	UDP  udp.Config
	TCP  tcpsocket.Config

	// DNS describes the resolver. Its servers and search list come before those that DHCP and routers name; see SetNameServers. Hosts is
	// /etc/hosts if it is "". New sets Dial, Sort and the clock.
	DNS dns.Config
}

// Clock measures the time since its start; package clock has implementations.
type Clock = clock.Clock

// VirtualClock is a Clock that stands still until Stack.Advance moves it. The zero value is ready for use.
type VirtualClock = clock.Virtual

// Route is one row of the route table. In a Config the fields Prefix and Gateway or Interface are enough.
type Route = ip.RouteEntry

// Interface is one attachment of the stack to the world: either a Device or an Output function.
type Interface struct {
	Name    string         // "": the device's name, or "link0" and so on
	Addrs   []netip.Prefix // own addresses of either family, each with the length of its network
	Gateway netip.Addr     // next hop of its family's default route; zero: none

	// Autoconf is for IPv6: a link-local address, and what routers advertise.
	Autoconf Autoconf

	// Device carries the packets. The stack closes it.
	Device tun.Device
	// MAC, Neighbors and ACD are for a TAP device. The zero ACD means that addresses are probed for before they are used: see Stack.Ready.
	// That takes about five seconds in IPv4 (RFC 5227), and up to two in IPv6 (RFC 4862).
	MAC       link.MAC
	Neighbors link.NeighborCache
	ACD       link.ACD

	// Output makes a link without a device: the stack calls it with each IP datagram that it sends, which is valid
	// during the call, and the program gives received datagrams to Stack.Inject. Output may run on several goroutines
	// at once, and must not use a socket of this stack; it may Inject into this stack or another.
	Output func(now time.Duration, datagram []byte)
	MTU    int // of such a link, in bytes; 0: 1500
}
