package stacks

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"tunstack/tun"
)

// gvisorPlain is gVisor's netstack in its usual setup: the fdbased endpoint on a TUN device, default settings.
func gvisorPlain(spec Spec) (network, error) {
	fd, err := gvisorFile(spec)
	if err != nil {
		return nil, err
	}
	link, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: 1500, PacketDispatchMode: fdbased.Readv})
	if err != nil {
		return nil, err
	}
	s, err := newGvisor(spec, link)
	return gvisorNet{s, protocolOf(spec.Addr)}, err
}

// protocolOf is the version of IP of an address.
func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// gvisorFile is the TUN device, or one end of a pipe of packets with the bad link behind it.
func gvisorFile(spec Spec) (int, error) {
	if !spec.Impair {
		return openTUN(spec, 1500, false)
	}
	dev, err := openDevice(spec, tun.Config{Driver: "linux", MTU: 1500})
	if err != nil {
		return -1, err
	}
	return packetPipe(dev.Queues()[0])
}

// newGvisor makes a stack with one interface.
func newGvisor(spec Spec, link stack.LinkEndpoint) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
		HandleLocal:        true,
	})
	sack := tcpip.TCPSACKEnabled(true) // off by default, but its users enable it
	if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return nil, fmt.Errorf("SACK: %v", err)
	}
	if err := s.CreateNIC(1, link); err != nil {
		return nil, fmt.Errorf("create NIC: %v", err)
	}
	addr := tcpip.ProtocolAddress{
		Protocol:          protocolOf(spec.Addr),
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(spec.Addr.AsSlice()), PrefixLen: spec.Host.Bits()},
	}
	if err := s.AddProtocolAddress(1, addr, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("add address: %v", err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}, {Destination: header.IPv6EmptySubnet, NIC: 1}})
	return s, nil
}

// gvisorNet is gVisor's netstack as a network of one version of IP.
type gvisorNet struct {
	s        *stack.Stack
	protocol tcpip.NetworkProtocolNumber
}

func (n gvisorNet) Listen(_, address string) (net.Listener, error) {
	addr, err := gvisorAddr(address)
	if err != nil {
		return nil, err
	}
	return gonet.ListenTCP(n.s, addr, n.protocol)
}

func (n gvisorNet) ListenPacket(_, address string) (net.PacketConn, error) {
	addr, err := gvisorAddr(address)
	if err != nil {
		return nil, err
	}
	return gonet.DialUDP(n.s, &addr, nil, n.protocol)
}

func gvisorAddr(address string) (tcpip.FullAddress, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return tcpip.FullAddress{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return tcpip.FullAddress{NIC: 1, Port: uint16(n)}, err
}
