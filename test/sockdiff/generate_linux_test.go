package sockdiff

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// generator makes random scripts.
type generator struct {
	*rand.Rand
	ipv6     bool          // mostly sockets of AF_INET6
	blocking bool          // sockets wait: seldom, and not for seconds
	kinds    [slots]string // the likely kinds of the sockets
}

// pick returns one of the values, with a probability by the number of its occurrences.
func pick[T any](g *generator, values ...T) T { return values[g.IntN(len(values))] }

// beginnings are the starts of scripts, so that many of them get far: the sockets of kind and their addresses, which end in 6 for AF_INET6.
func beginnings(end string) []script {
	tcp, udp, raw, lo, any := "tcp"+end, "udp"+end, "raw"+end, "lo"+end, "any"+end
	connected := connected(tcp, lo, tcp, lo)
	return []script{
		nil,
		{{call: "socket", kind: tcp}, {call: "bind", addr: lo, port: 1}, {call: "listen", n: 8}, {call: "socket", fd: 1, kind: tcp}},
		connected, connected, connected, connected,
		{{call: "socket", kind: udp}, {call: "bind", addr: lo, port: 1}, {call: "socket", fd: 1, kind: udp}},
		{{call: "socket", kind: udp}, {call: "bind", addr: any, port: 1}, {call: "socket", fd: 1, kind: udp}, {call: "connect", fd: 1, addr: lo, port: 1}},
		{{call: "socket", kind: raw}, {call: "socket", fd: 1, kind: raw}},
	}
}

// mixed are starts with IPv4 on sockets of AF_INET6.
var mixed = []script{
	connected("tcp6", "any6", "tcp", "lo"), connected("tcp6", "any6", "tcp6", "lo"), connected("tcp6", "lo", "tcp6", "lo"), connected("tcp", "lo", "tcp6", "lo"),
	{{call: "socket", kind: "udp6"}, {call: "bind", addr: "any6", port: 1}, {call: "socket", fd: 1, kind: "udp"}, {call: "connect", fd: 1, addr: "lo", port: 1}},
	{{call: "socket", kind: "udp6"}, {call: "bind", addr: "any6", port: 1}, {call: "socket", fd: 1, kind: "udp6"}, {call: "connect", fd: 1, addr: "lo", port: 1}},
	{{call: "socket", kind: "udp6"}, {call: "bind", addr: "any6", port: 1}, {call: "socket", fd: 1, kind: "udp6"}, {call: "setsockopt", opt: "IPV6_RECVPKTINFO", value: "1"}},
	{{call: "socket", kind: "udp6"}, {call: "bind", addr: "lo", port: 1}, {call: "socket", fd: 1, kind: "udp"}},
	{{call: "socket", kind: "udp"}, {call: "bind", addr: "lo", port: 1}, {call: "socket", fd: 1, kind: "udp6"}, {call: "connect", fd: 1, addr: "lo", port: 1}},
}

// connected has a listener in slot 0 and the two ends of a connection in slots 1 and 2.
func connected(server, local, client, remote string) script {
	return script{
		{call: "socket", kind: server}, {call: "bind", addr: local, port: 1}, {call: "listen", n: 8},
		{call: "socket", fd: 1, kind: client}, {call: "connect", fd: 1, addr: remote, port: 1}, {call: "accept", to: 2},
	}
}

// script makes a script.
func (g *generator) script() script {
	s := slices.Clone(pick(g, g.beginnings()...))
	for _, o := range s {
		g.note(o)
	}
	for range 2 + g.IntN(12) {
		o := g.op()
		g.note(o)
		s = append(s, o)
	}
	return s
}

func (g *generator) beginnings() []script {
	switch {
	case !g.ipv6:
		return beginnings("")
	case g.IntN(3) == 0:
		return mixed
	}
	return beginnings("6")
}

// note records the effect of a call on the sockets.
func (g *generator) note(o op) {
	switch o.call {
	case "socket":
		g.kinds[o.fd] = o.kind
	case "accept":
		g.kinds[o.to] = g.kinds[o.fd]
	}
}

// addr chooses one of the addresses for a call about a socket. A third of those for a socket of AF_INET6 are of IPv4, and very few the other way
// round.
func (g *generator) addr(fd int, names ...string) string {
	name := pick(g, names...)
	other := 3
	six := strings.HasSuffix(g.kinds[fd], "6")
	if !six {
		other = 50
	}
	if name == "-" || six == (g.IntN(other) == 0) {
		return name
	}
	if name = name + "6"; name == "group6" {
		return pick(g, "group6", "near6")
	}
	if name == "lo26" {
		return pick(g, "lo6", "link6")
	}
	return name
}

// waits are the options that let a blocking call take seconds.
var waits = []string{"SO_LINGER", "SO_RCVTIMEO"}

var ancillaryNames = slices.Sorted(maps.Keys(ancillaries))

var optionNames = slices.Sorted(maps.Keys(options))

func (g *generator) op() op {
	o := op{fd: pick(g, 0, 1, 1, 1, 2, 2, 2, 3), addr: "-"}
	if g.IntN(60) == 0 && strings.HasPrefix(g.kinds[o.fd], "tcp") {
		o.call = pick(g, "fill", "drain")
		return o
	}
	o.call = pick(g, "socket", "bind", "listen", "accept", "connect", "connect", "shutdown", "shutdown", "close", "send", "send", "send",
		"send", "recv", "recv", "recv", "recv", "poll", "poll", "FIONREAD", "SIOCOUTQ", "SIOCATMARK", "getsockname", "getpeername", "getsockopt", "setsockopt",
		"setsockopt")
	switch o.call {
	case "socket":
		o.kind = pick(g, "tcp", "tcp", "udp", "raw")
		if g.ipv6 && g.IntN(4) > 0 {
			o.kind += "6"
		}
	case "bind":
		o.addr, o.port = g.addr(o.fd, "lo", "lo", "any", "lo2", "alien", "group"), g.IntN(scriptPorts+1)
	case "connect":
		o.addr, o.port = g.addr(o.fd, "lo", "lo", "lo", "any", "-", "-", "lo2", "alien", "group"), pick(g, 1, 1, 1, 2, 2, 3, 0)
	case "listen":
		o.n = pick(g, 8, 9)
	case "accept":
		o.to = g.IntN(slots)
	case "shutdown":
		o.n = pick(g, unix.SHUT_RD, unix.SHUT_WR, unix.SHUT_RDWR)
	case "send":
		o.n, o.flags = pick(g, 0, 1, 1, 5, 10), pick(g, 0, 0, 0, unix.MSG_OOB, unix.MSG_OOB, unix.MSG_MORE)
		if o.flags == unix.MSG_MORE && strings.HasPrefix(g.kinds[o.fd], "tcp") && g.IntN(20) > 0 { // seldom: it takes 200 ms of real time
			o.flags = 0
		}
		o.addr, o.port = g.addr(o.fd, "-", "-", "-", "lo", "lo", "any", "lo2", "alien", "group"), pick(g, 1, 1, 2, 3, 0)
		if !strings.HasPrefix(g.kinds[o.fd], "tcp") && g.IntN(4) == 0 {
			g.with(&o)
		}
	case "recv":
		o.n = pick(g, 0, 1, 3, 100, 100)
		o.flags = pick(g, 0, 0, 0, unix.MSG_OOB, unix.MSG_PEEK, unix.MSG_WAITALL, unix.MSG_TRUNC, unix.MSG_OOB|unix.MSG_PEEK, unix.MSG_PEEK|unix.MSG_TRUNC,
			unix.MSG_WAITALL|unix.MSG_PEEK, unix.MSG_DONTWAIT)
	case "getsockopt", "setsockopt":
		g.option(&o)
	}
	return o
}

// with chooses control messages for a send of at least a byte: without one package unix sends a byte of its own.
func (g *generator) with(o *op) {
	o.n = max(o.n, 1)
	for {
		o.with = pick(g, ancillaryNames...)
		if strings.HasSuffix(g.kinds[o.fd], "6") || !strings.Contains(o.with, "6") {
			return
		}
	}
}

// option chooses an option for the call.
func (g *generator) option(o *op) {
	for {
		o.opt = pick(g, optionNames...)
		opt := options[o.opt]
		switch {
		case g.blocking && slices.Contains(waits, o.opt):
		case o.call == "getsockopt" && opt.size > 0:
			return
		case o.call == "setsockopt" && o.opt == "TCP_CORK" && g.IntN(10) > 0: // for the same reason
		case o.call == "setsockopt" && len(opt.values) > 0:
			o.value = pick(g, opt.values...)
			return
		}
	}
}
