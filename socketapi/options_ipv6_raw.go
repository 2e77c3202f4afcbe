package socketapi

import (
	"math"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// ipv6RawOptions are the options for IPv6 of raw sockets alone.
var ipv6RawOptions = map[optname]option{
	{IPPROTO_IPV6, IPV6_HDRINCL}:   whole(dgramFlag(func(o *dgram.Options) *bool { return &o.HdrIncl })),
	{IPPROTO_IPV6, IPV6_CHECKSUM}:  whole(number(math.MinInt32, math.MaxInt32, getChecksum, setChecksum)),
	{SOL_RAW, IPV6_CHECKSUM}:       whole(number(math.MinInt32, math.MaxInt32, getChecksum, setChecksum)),
	{IPPROTO_ICMPV6, ICMP6_FILTER}: {get: getICMP6Filter, set: setICMP6Filter},
}

func getChecksum(so *socket) int {
	if so.proto == ip.ProtocolICMPv6 {
		return 2
	}
	return so.datagrams().Options().Checksum
}

// setChecksum takes an even offset in bytes; below 0 turns the checksum off. ICMPv6 always has it (RFC 3542 section 3.1).
func setChecksum(so *socket, n int) error {
	if so.proto == ip.ProtocolICMPv6 || n > 0 && n%2 != 0 {
		return syscall.EINVAL
	}
	so.datagrams().SetOptions(func(o *dgram.Options) { o.Checksum = max(n, -1) })
	return nil
}

// ICMP6Filter is Linux's struct icmp6_filter: a set bit keeps ICMPv6 messages of that type from the socket (RFC 3542 section 3.2).
type ICMP6Filter = dgram.ICMP6Filter

func getICMP6Filter(so *socket) (any, error) {
	if so.proto != ip.ProtocolICMPv6 {
		return nil, syscall.EOPNOTSUPP
	}
	if f := so.datagrams().Options().ICMP6Filter; f != nil {
		return *f, nil
	}
	return ICMP6Filter{}, nil
}

func setICMP6Filter(so *socket, v optvalue) error {
	if so.proto != ip.ProtocolICMPv6 {
		return syscall.EOPNOTSUPP
	}
	f := new(ICMP6Filter)
	b := make(optvalue, 32)
	copy(b, v) // a shorter filter passes the types beyond it
	if err := b.decode(f); err != nil {
		return err
	}
	so.datagrams().SetOptions(func(o *dgram.Options) { o.ICMP6Filter = f })
	return nil
}
