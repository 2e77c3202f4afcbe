// Package stacks holds the stacks under test. Each runs in its own process, offers the same services on the same ports to a
// client in the host's kernel, and is measured from outside.
package stacks

import (
	"net"
	"net/netip"
	"time"

	"tunstack/tun"
)

// Ports of the services that every stack offers.
const (
	EchoPort    = 7    // TCP and UDP (RFC 862)
	DiscardPort = 9    // TCP (RFC 863)
	ChargenPort = 19   // TCP, as fast as the client reads (RFC 864)
	HoldPort    = 5000 // TCP; connections are accepted and not read
)

// Spec describes a stack under test.
type Spec struct {
	Peer    string
	Dev     string // the interface's name
	Host    netip.Prefix
	Addr    netip.Addr // of the stack
	Impair  bool       // put the bad link of the "loss" load between device and stack
	Profile string     // file for a CPU profile; "": none
}

// Peer is one of the stacks.
type Peer struct {
	Name string
	Doc  string
	// Impairable reports whether the stack can run on the bad link.
	Impairable bool
	// ImpairedOnly reports whether the stack differs from another only on the bad link.
	ImpairedOnly bool
	// Blind reports whether the stack acknowledges packets that the device dropped.
	Blind bool
	// OnlyIPv4 reports whether the stack cannot run over IPv6.
	OnlyIPv4 bool
	// Memory reports whether connections are in the process's memory.
	Memory bool
	// Resolver reports whether the stack has a resolver; the kernel's is Go's.
	Resolver bool

	// procs is GOMAXPROCS; 0: 1.
	procs int
	// missing, if not nil, returns the reason why the stack cannot run here.
	missing func(peer string) error
	// serve starts the stack in the process under test. Reflectors and stacks without sockets return no network.
	serve func(Spec) (network, error)
	// attach, if not nil, connects the running process from outside; such a process has its own namespace. detach undoes it.
	attach func(pid int, spec Spec) (detach func(), err error)
}

// network is the part of a stack that the services use.
type network interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Impairment of the "loss" load: 1 % of the packets of each direction are lost, and a round trip takes 20 ms.
const (
	LossShare = 0.01
	LossDelay = 10 * time.Millisecond // each way
)

// Peers returns all stacks in the order of the table's columns.
func Peers() []Peer {
	return []Peer{
		{Name: "tunstack-vnet", Doc: "tunstack, linux driver with offload", Impairable: true, Memory: true, Resolver: true,
			serve: tunstack(tun.Config{Driver: "linux", MTU: 1500, Offload: true})},
		{Name: "tunstack-vnet-2q", Doc: "the same with two queues and two processors", Impairable: true, Memory: true, procs: 2,
			serve: tunstack(tun.Config{Driver: "linux", MTU: 1500, Offload: true, Queues: 2})},
		{Name: "tunstack-veth", Doc: "tunstack, veth driver with offload", Impairable: true, Memory: true, OnlyIPv4: true, // a TAP device takes no IPv6 address yet
			serve: tunstack(tun.Config{Driver: "veth", MTU: 1500, Offload: true})},
		{Name: "tunstack-1500", Doc: "tunstack, water driver, plain packets", Impairable: true, Memory: true,
			serve: tunstack(tun.Config{Driver: "water", MTU: 1500, Offload: true})},
		{Name: "tunstack-64k", Doc: "tunstack, water driver, MTU 65535", Memory: true,
			serve: tunstack(tun.Config{Driver: "water", MTU: 65535, Offload: true})},
		{Name: "tunstack-bbr", Doc: "tunstack-vnet with BBR, for the bad link", Impairable: true, ImpairedOnly: true,
			serve: tunstackWith(tun.Config{Driver: "linux", MTU: 1500, Offload: true}, "bbr")},
		{Name: "gvisor-vnet", Doc: "gVisor netstack, wired by hand to virtio-net headers, tuned", Memory: true, serve: gvisorVnet},
		{Name: "gvisor-1500", Doc: "gVisor netstack, its own fdbased endpoint, plain packets", Impairable: true, Memory: true, serve: gvisorPlain},
		{Name: "lwip-1500", Doc: "lwIP in C, raw callbacks, tuned, plain packets", OnlyIPv4: true, missing: builtLwip, serve: lwip(1500)},
		{Name: "lwip-64k", Doc: "the same with MTU 65535", OnlyIPv4: true, missing: builtLwip, serve: lwip(65535)},
		{Name: "kernel", Doc: "Linux, a second namespace over veth", Impairable: true, Resolver: true, serve: kernel, attach: attachKernel},
		{Name: "reflector-vnet", Doc: "the do-nothing reflector, virtio-net headers", Blind: true, OnlyIPv4: true, serve: reflect(true)},
		{Name: "reflector-1500", Doc: "the do-nothing reflector, plain packets", Blind: true, OnlyIPv4: true, serve: reflect(false)},
	}
}

// Missing returns the reason why the stack cannot run here, or nil.
func (p Peer) Missing() error {
	if p.missing == nil {
		return nil
	}
	return p.missing(p.Name)
}

// Find returns the peer with a name.
func Find(name string) (Peer, bool) {
	for _, p := range Peers() {
		if p.Name == name {
			return p, true
		}
	}
	return Peer{}, false
}
