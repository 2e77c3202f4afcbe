package socketapi

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"syscall"

	"tunstack/ip"
	tcpsocket "tunstack/tcp/socket"
)

// transport is a kind of socket, for open, GetAddrInfo, Dial, AllSockets and Counters.
type transport struct {
	typ, proto int    // of socket(2). Protocol 0 selects the first row of the type; a row with 0 matches every protocol but 0
	name       string // for Dial, and in /etc/services; "": without ports
	domain     int    // AF_INET or AF_INET6; 0: both
	open       func(s *Stack, v ip.Versions, proto int) endpoint

	// A second kind of a transport's sockets, which getaddrinfo(3) does not return, leaves the rest nil.
	stats func(s *Stack) any
	list  func(s *Stack) []SocketInfo                    // in the order of their addresses
	each  func(s *Stack, info bool) iter.Seq[SocketInfo] // the same in no order, for transports with many sockets; nil: list serves
}

// transports are the kinds of socket, in the order of the lists.
var transports = [...]transport{
	{SOCK_STREAM, IPPROTO_TCP, "tcp", 0,
		func(s *Stack, v ip.Versions, _ int) endpoint { return stream{s.tcp.NewSocket(v)} },
		func(s *Stack) any { return s.tcp.Stats() }, (*Stack).listTCP, (*Stack).eachTCP},
	{SOCK_DGRAM, IPPROTO_UDP, "udp", 0,
		func(s *Stack, v ip.Versions, _ int) endpoint { return newDatagram(s.udp.NewSocket(v)) },
		func(s *Stack) any { return s.udp.Stats() }, (*Stack).listUDP, nil},
	{typ: SOCK_DGRAM, proto: IPPROTO_ICMP, domain: AF_INET, open: openPing},
	{typ: SOCK_DGRAM, proto: IPPROTO_ICMPV6, domain: AF_INET6, open: openPing},
	{SOCK_RAW, 0, "", 0,
		func(s *Stack, v ip.Versions, proto int) endpoint {
			return newRawSocket(s.raw.NewSocket(oneVersion(v), uint8(proto)))
		},
		func(s *Stack) any { return s.raw.Stats() }, (*Stack).listRaw, nil},
}

func openPing(s *Stack, v ip.Versions, _ int) endpoint {
	return newPingSocket(s.raw.NewPing(oneVersion(v)))
}

// oneVersion is the version of a raw socket or a ping socket of a family: those of AF_INET6 never see IPv4.
func oneVersion(v ip.Versions) ip.Versions {
	if v == ip.V4 {
		return ip.V4
	}
	return ip.V6
}

// domainOf is the address family of sockets of v.
func domainOf(v ip.Versions) int {
	if v == ip.V4 {
		return AF_INET
	}
	return AF_INET6
}

// takes reports whether socket(2) with typ and proto selects the row.
func (t *transport) takes(domain, typ, proto int) bool {
	switch {
	case t.domain != 0 && t.domain != domain:
		return false
	case t.proto == 0:
		return typ == t.typ && proto > 0 && proto <= IPPROTO_RAW
	}
	return typ == t.typ && (proto == 0 || proto == t.proto)
}

// open makes a socket with an idle endpoint.
func (s *Stack) open(v ip.Versions, typ, proto int) (*socket, error) {
	for i := range transports {
		if t := &transports[i]; t.takes(domainOf(v), typ, proto) {
			proto = cmp.Or(proto, t.proto)
			return s.install(domainOf(v), typ, proto, t.open(s, v, proto))
		}
	}
	if typ >= SOCK_STREAM && typ <= SOCK_RAW {
		return nil, syscall.EPROTONOSUPPORT
	}
	return nil, syscall.EINVAL
}

// sockets iterates over the transport's sockets.
func (t *transport) sockets(s *Stack, info bool) iter.Seq[SocketInfo] {
	switch {
	case t.each != nil:
		return t.each(s, info)
	case t.list != nil:
		return slices.Values(t.list(s))
	}
	return slices.Values[[]SocketInfo](nil)
}

// listTCP lists the listeners first.
func (s *Stack) listTCP() (rows []SocketInfo) {
	for _, t := range s.tcp.Sockets() {
		rows = append(rows, tcpRow(t))
	}
	return rows
}

func (s *Stack) eachTCP(info bool) iter.Seq[SocketInfo] {
	return func(yield func(SocketInfo) bool) {
		for t := range s.tcp.All(info) {
			if !yield(tcpRow(t)) {
				return
			}
		}
	}
}

func tcpRow(t tcpsocket.Status) SocketInfo {
	return SocketInfo{"tcp", t.State, t.RecvQ, t.SendQ, t.Local, t.Remote, t.Info}
}

func (s *Stack) listUDP() (rows []SocketInfo) {
	for _, u := range s.udp.Sockets() {
		rows = append(rows, SocketInfo{"udp", connected(u.Remote), u.RecvQ, 0, u.Local, u.Remote, nil})
	}
	return rows
}

// listRaw includes the ping sockets.
func (s *Stack) listRaw() (rows []SocketInfo) {
	for _, r := range s.raw.Sockets() {
		local, remote := netip.AddrPortFrom(r.Local, 0), netip.AddrPortFrom(r.Remote, 0)
		rows = append(rows, SocketInfo{"raw", connected(remote), r.RecvQ, 0, local, remote, nil})
	}
	return rows
}

// connected is the state of a datagram socket, in the words of ss.
func connected(remote netip.AddrPort) string {
	if remote.Addr().IsValid() {
		return "ESTAB"
	}
	return "UNCONN"
}
