package socketapi

import (
	"math"
	"slices"
	"syscall"

	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/ipv4"
)

// ipOptions are the options of level IPPROTO_IP that the sockets of every transport have.
var ipOptions = map[optname]option{
	{IPPROTO_IP, IP_TOS}:      number(math.MinInt32, math.MaxInt32, func(so *socket) int { return int(so.ip().TOS) }, setTOS),
	{IPPROTO_IP, IP_TTL}:      number(-1, math.MaxUint8, getTTL, setTTL),
	{IPPROTO_IP, IP_MINTTL}:   ipNumber(0, math.MaxUint8, func(o *ip.SocketOptions) *uint8 { return &o.MinTTL }),
	{IPPROTO_IP, IP_PROTOCOL}: fixed(protocolOption),
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT}: flag(
		func(so *socket) bool { return so.ip().NoPort },
		func(so *socket, on bool) { so.setIP(func(o *ip.SocketOptions) { o.NoPort = on }) }),
	{IPPROTO_IP, IP_FREEBIND}: flag(
		func(so *socket) bool { return so.ip().FreeBind },
		func(so *socket, on bool) { so.setIP(func(o *ip.SocketOptions) { o.FreeBind = on }) }),
	{IPPROTO_IP, IP_LOCAL_PORT_RANGE}: number(math.MinInt32, math.MaxInt32, getPortRange, setPortRange),
	{IPPROTO_IP, IP_RECVERR}: flag(
		func(so *socket) bool { return so.ip().RecvErr },
		func(so *socket, on bool) { so.setIP(func(o *ip.SocketOptions) { o.RecvErr = on }) }),
	{IPPROTO_IP, IP_PKTINFO}:         kept(IPPROTO_IP, IP_PKTINFO),
	{IPPROTO_IP, IP_RECVTTL}:         kept(IPPROTO_IP, IP_RECVTTL),
	{IPPROTO_IP, IP_RECVTOS}:         kept(IPPROTO_IP, IP_RECVTOS),
	{IPPROTO_IP, IP_RECVOPTS}:        kept(IPPROTO_IP, IP_RECVOPTS),
	{IPPROTO_IP, IP_RETOPTS}:         kept(IPPROTO_IP, IP_RETOPTS),
	{IPPROTO_IP, IP_RECVORIGDSTADDR}: kept(IPPROTO_IP, IP_RECVORIGDSTADDR),
	{IPPROTO_IP, IP_OPTIONS}: {
		get: func(so *socket) (any, error) { return so.ip().IPOptions, nil },
		set: setIPOptions,
	},
	{IPPROTO_IP, IP_MTU}:          {get: func(so *socket) (any, error) { return so.PathMTU() }},
	{IPPROTO_IP, IP_MTU_DISCOVER}: number(IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT, getDiscover, setDiscover),
}

// setTOS keeps the lowest byte, as Linux does, and derives SO_PRIORITY from it.
func setTOS(so *socket, n int) error {
	so.setIP(func(o *ip.SocketOptions) { o.TOS = uint8(n) })
	so.keep(SOL_SOCKET, SO_PRIORITY, priorities[uint8(n)>>3&3])
	return nil
}

// priorities are the values of SO_PRIORITY for the bits of delay and throughput in IP_TOS (Linux ip(7)).
var priorities = [4]int{0, 2, 6, 4}

// getPortRange is the lowest port in the lower 16 bits and the highest in the upper 16; 0: the bound of the stack's range.
func getPortRange(so *socket) int {
	r := so.ip().Ports
	return int(int32(uint32(r.High)<<16 | uint32(r.Low)))
}

func setPortRange(so *socket, n int) error {
	r := ports.Range{Low: uint16(n), High: uint16(uint32(n) >> 16)}
	if r.Low != 0 && r.High != 0 && r.Low > r.High {
		return syscall.EINVAL
	}
	so.setIP(func(o *ip.SocketOptions) { o.Ports = r })
	return nil
}

// protocolOption is IP_PROTOCOL, which on Linux is 0 except for raw sockets.
func protocolOption(so *socket) int {
	if so.typ == SOCK_RAW {
		return int(so.proto)
	}
	return 0
}

// ipNumber is an option that is a byte of ip.SocketOptions.
func ipNumber(low, high int, field func(*ip.SocketOptions) *uint8) option {
	return number(low, high,
		func(so *socket) int { o := so.ip(); return int(*field(&o)) },
		func(so *socket, n int) error {
			so.setIP(func(o *ip.SocketOptions) { *field(o) = uint8(n) })
			return nil
		})
}

func getTTL(so *socket) int {
	if ttl := so.ip().TTL; ttl != 0 {
		return int(ttl)
	}
	return int(so.stack.ttl)
}

// setTTL takes -1 for the stack's default and refuses 0.
func setTTL(so *socket, n int) error {
	if n == 0 {
		return syscall.EINVAL
	}
	so.setIP(func(o *ip.SocketOptions) { o.TTL = uint8(max(n, 0)) })
	return nil
}

func setIPOptions(so *socket, v optvalue) error {
	if !ipv4.ValidOptions(v) {
		return syscall.EINVAL
	}
	so.setIP(func(o *ip.SocketOptions) { o.IPOptions = slices.Clone([]byte(v)) })
	return nil
}

func getDiscover(so *socket) int { return int(so.ip().Discover) }

func setDiscover(so *socket, n int) error {
	so.setIP(func(o *ip.SocketOptions) { o.Discover = ip.Discover(n) })
	return nil
}
