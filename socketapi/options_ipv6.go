package socketapi

import (
	"math"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// ipv6Options are the options of level IPPROTO_IPV6 that the sockets of AF_INET6 of every transport have.
var ipv6Options = map[optname]option{
	{IPPROTO_IPV6, IPV6_V6ONLY}: whole(number(math.MinInt32, math.MaxInt32, getV6Only, setV6Only)),
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS}: number6(-1, math.MaxUint8, getUnicastHops,
		func(o *ip.Options6, n int) { o.HopLimit = int16(n) }),
	{IPPROTO_IPV6, IPV6_TCLASS}: number6(-1, math.MaxUint8, func(so *socket) int { return int(so.ipv6().TClass) },
		func(o *ip.Options6, n int) { o.TClass = uint8(max(n, 0)) }),
	{IPPROTO_IPV6, IPV6_MINHOPCOUNT}: number6(0, math.MaxUint8, func(so *socket) int { return int(so.ipv6().MinHopCount) },
		func(o *ip.Options6, n int) { o.MinHopCount = uint8(n) }),
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER}: number6(IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_OMIT, func(so *socket) int { return int(so.ipv6().Discover) },
		func(o *ip.Options6, n int) { o.Discover = ip.Discover(n) }),
	{IPPROTO_IPV6, IPV6_MTU}:          {get: func(so *socket) (any, error) { return so.PathMTU() }, set: setFragmentSize},
	{IPPROTO_IPV6, IPV6_PATHMTU}:      {get: getPathMTU},
	{IPPROTO_IPV6, IPV6_DONTFRAG}:     flag6(func(o *ip.Options6) *bool { return &o.DontFrag }),
	{IPPROTO_IPV6, IPV6_RECVERR}:      flag6(func(o *ip.Options6) *bool { return &o.RecvErr }),
	{IPPROTO_IPV6, IPV6_RECVPATHMTU}:  flag6(func(o *ip.Options6) *bool { return &o.RecvPathMTU }),
	{IPPROTO_IPV6, IPV6_HOPOPTS}:      extensionHeader(IPV6_HOPOPTS),
	{IPPROTO_IPV6, IPV6_RTHDRDSTOPTS}: extensionHeader(IPV6_RTHDRDSTOPTS),
	{IPPROTO_IPV6, IPV6_RTHDR}:        extensionHeader(IPV6_RTHDR),
	{IPPROTO_IPV6, IPV6_DSTOPTS}:      extensionHeader(IPV6_DSTOPTS),
	{IPPROTO_IPV6, IPV6_UNICAST_IF}: unicastIf(IPPROTO_IPV6, IPV6_UNICAST_IF,
		func(o *dgram.Options) **ip.Interface { return &o.Multicast6.UnicastIf }),
	{IPPROTO_IPV6, IPV6_ROUTER_ALERT}: fixed(func(*socket) int { return 0 }),

	{IPPROTO_IPV6, IPV6_AUTOFLOWLABEL}: whole(flag(
		func(so *socket) bool { return !so.ipv6().NoFlowLabel },
		func(so *socket, on bool) { so.setIPv6(func(o *ip.Options6) { o.NoFlowLabel = !on }) })),
	{IPPROTO_IPV6, IPV6_FREEBIND}:         whole(ipOptions[optname{IPPROTO_IP, IP_FREEBIND}]),
	{IPPROTO_IPV6, IPV6_ADDR_PREFERENCES}: whole(number(math.MinInt32, math.MaxInt32, getPreferences, setPreferences)),

	{IPPROTO_IPV6, IPV6_RECVERR_RFC4884}: whole(keptNumber(IPPROTO_IPV6, IPV6_RECVERR_RFC4884, 0, 1)),
	{IPPROTO_IPV6, IPV6_RECVPKTINFO}:     whole(kept(IPPROTO_IPV6, IPV6_RECVPKTINFO)),
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT}:    whole(kept(IPPROTO_IPV6, IPV6_RECVHOPLIMIT)),
	{IPPROTO_IPV6, IPV6_RECVTCLASS}:      whole(kept(IPPROTO_IPV6, IPV6_RECVTCLASS)),
	{IPPROTO_IPV6, IPV6_RECVHOPOPTS}:     whole(kept(IPPROTO_IPV6, IPV6_RECVHOPOPTS)),
	{IPPROTO_IPV6, IPV6_RECVRTHDR}:       whole(kept(IPPROTO_IPV6, IPV6_RECVRTHDR)),
	{IPPROTO_IPV6, IPV6_RECVDSTOPTS}:     whole(kept(IPPROTO_IPV6, IPV6_RECVDSTOPTS)),
	{IPPROTO_IPV6, IPV6_RECVORIGDSTADDR}: whole(kept(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR)),
	{IPPROTO_IPV6, IPV6_RECVFRAGSIZE}:    whole(kept(IPPROTO_IPV6, IPV6_RECVFRAGSIZE)),
	{IPPROTO_IPV6, IPV6_TRANSPARENT}:     whole(kept(IPPROTO_IPV6, IPV6_TRANSPARENT)),
	{IPPROTO_IPV6, IPV6_FLOWINFO}:        whole(kept(IPPROTO_IPV6, IPV6_FLOWINFO)),
	{IPPROTO_IPV6, IPV6_FLOWINFO_SEND}:   whole(kept(IPPROTO_IPV6, IPV6_FLOWINFO_SEND)),
}

// ipv6 are the socket's options for IPv6.
func (so *socket) ipv6() *ip.Options6 {
	o := so.ip()
	return o.IPv6()
}

func (so *socket) setIPv6(change func(*ip.Options6)) {
	so.setIP(func(o *ip.SocketOptions) { o.SetIPv6(change) })
}

// whole is an option whose value must be a whole C int: Linux accepts a shorter value for IPv4 only.
func whole(o option) option {
	return option{get: o.get, set: func(so *socket, v optvalue) error {
		if len(v) < 4 {
			return syscall.EINVAL
		}
		return o.set(so, v)
	}}
}

// number6 is an option that is an int between low and high, kept in ip.Options6.
func number6(low, high int, get func(so *socket) int, set func(o *ip.Options6, n int)) option {
	return whole(number(low, high, get, func(so *socket, n int) error {
		so.setIPv6(func(o *ip.Options6) { set(o, n) })
		return nil
	}))
}

// flag6 is an option that is a bool of ip.Options6.
func flag6(field func(*ip.Options6) *bool) option {
	return whole(flag(
		func(so *socket) bool { return *field(so.ipv6()) },
		func(so *socket, on bool) { so.setIPv6(func(o *ip.Options6) { *field(o) = on }) }))
}

func getV6Only(so *socket) int { return bit(so.typ != SOCK_RAW && so.ip().Versions == ip.V6) }

// setV6Only refuses a socket that has a port, and a raw one, which has its protocol instead.
func setV6Only(so *socket, n int) error {
	if so.typ == SOCK_RAW || so.Local().Port() != 0 {
		return syscall.EINVAL
	}
	v := ip.Dual
	if n != 0 {
		v = ip.V6
	}
	so.setIP(func(o *ip.SocketOptions) { o.Versions = v })
	return nil
}

func getUnicastHops(so *socket) int {
	if n := so.ipv6().HopLimit; n >= 0 {
		return int(n)
	}
	return int(so.stack.ttl)
}

// getPreferences has the bits of one value of each pair.
func getPreferences(so *socket) int {
	kind := [...]int{
		ip.PreferDefault: IPV6_PREFER_SRC_PUBTMP_DEFAULT, ip.PreferTemporary: IPV6_PREFER_SRC_TMP, ip.PreferPublic: IPV6_PREFER_SRC_PUBLIC,
	}[so.ipv6().Preferences]
	if so.value(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES) != 0 {
		return kind | IPV6_PREFER_SRC_COA
	}
	return kind | IPV6_PREFER_SRC_HOME
}

// setPreferences takes at most one bit of each kind. A kind of which no bit is set keeps its value. The stack has no care-of addresses, and
// only stores the bit of that kind.
func setPreferences(so *socket, n int) error {
	kind := so.ipv6().Preferences
	switch n & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_PUBTMP_DEFAULT) {
	case IPV6_PREFER_SRC_TMP:
		kind = ip.PreferTemporary
	case IPV6_PREFER_SRC_PUBLIC:
		kind = ip.PreferPublic
	case IPV6_PREFER_SRC_PUBTMP_DEFAULT:
		kind = ip.PreferDefault
	case 0:
	default:
		return syscall.EINVAL
	}
	for _, pair := range [...]int{IPV6_PREFER_SRC_COA | IPV6_PREFER_SRC_HOME, IPV6_PREFER_SRC_CGA | IPV6_PREFER_SRC_NONCGA} {
		if n&pair == pair {
			return syscall.EINVAL
		}
	}
	if n&(IPV6_PREFER_SRC_COA|IPV6_PREFER_SRC_HOME) != 0 {
		so.keep(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, n&IPV6_PREFER_SRC_COA)
	}
	so.setIPv6(func(o *ip.Options6) { o.Preferences = kind })
	return nil
}

// minMTU6 is the smallest path MTU of IPv6 (RFC 8200 section 5).
const minMTU6 = 1280

// setFragmentSize bounds the size of fragments in bytes; 0 removes the bound.
func setFragmentSize(so *socket, v optvalue) error {
	n, err := v.int()
	if err != nil || len(v) < 4 || n != 0 && n < minMTU6 {
		return syscall.EINVAL
	}
	so.setIPv6(func(o *ip.Options6) { o.MTU = n })
	return nil
}

// IPv6MTUInfo is Linux's struct ip6_mtuinfo, for IPV6_PATHMTU. The option has no address, only the message has.
type IPv6MTUInfo struct {
	Addr SockaddrIn6
	MTU  uint32 // bytes
}

func getPathMTU(so *socket) (any, error) {
	mtu, err := so.PathMTU()
	if err != nil {
		return nil, err
	}
	return IPv6MTUInfo{MTU: uint32(mtu)}, nil
}
