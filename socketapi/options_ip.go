package socketapi

import (
	"math"
	"slices"
	"syscall"

	"tunstack/ipv4"
)

// ipOptions are those of level IPPROTO_IP that the sockets of every transport have.
var ipOptions = map[optname]option{
	{IPPROTO_IP, IP_TOS}:    ipNumber(math.MinInt32, math.MaxInt32, func(o *ipv4.SocketOptions) *uint8 { return &o.TOS }),
	{IPPROTO_IP, IP_TTL}:    number(-1, math.MaxUint8, getTTL, setTTL),
	{IPPROTO_IP, IP_MINTTL}: ipNumber(0, math.MaxUint8, func(o *ipv4.SocketOptions) *uint8 { return &o.MinTTL }),
	{IPPROTO_IP, IP_RECVERR}: flag(
		func(so *socket) bool { return so.ip().RecvErr },
		func(so *socket, on bool) { so.setIP(func(o *ipv4.SocketOptions) { o.RecvErr = on }) }),
	{IPPROTO_IP, IP_OPTIONS}: {
		func(so *socket) (any, error) { return so.ip().IPOptions, nil },
		setIPOptions,
	},
}

// ipNumber is an option that is an octet of ipv4.SocketOptions. Like Linux it keeps the lowest octet of IP_TOS.
func ipNumber(low, high int, field func(*ipv4.SocketOptions) *uint8) option {
	return number(low, high,
		func(so *socket) int { o := so.ip(); return int(*field(&o)) },
		func(so *socket, n int) error {
			so.setIP(func(o *ipv4.SocketOptions) { *field(o) = uint8(n) })
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
	so.setIP(func(o *ipv4.SocketOptions) { o.TTL = uint8(max(n, 0)) })
	return nil
}

func setIPOptions(so *socket, v optvalue) error {
	if len(v) > 40 {
		return syscall.EINVAL
	}
	so.setIP(func(o *ipv4.SocketOptions) { o.IPOptions = slices.Clone([]byte(v)) })
	return nil
}
