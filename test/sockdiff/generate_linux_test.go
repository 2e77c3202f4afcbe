package sockdiff

import (
	"maps"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// generator makes random scripts.
type generator struct {
	*rand.Rand
	kinds [slots]string // the likely kinds of the sockets
}

// pick returns one of the values, with a probability by the number of its occurrences.
func pick[T any](g *generator, values ...T) T { return values[g.IntN(len(values))] }

// beginnings are the starts of scripts, so that many of them get far.
var beginnings = []script{
	nil,
	{{call: "socket", kind: "tcp"}, {call: "bind", addr: "lo", port: 1}, {call: "listen", n: 8}, {call: "socket", fd: 1, kind: "tcp"}},
	connected, connected, connected, connected,
	{{call: "socket", kind: "udp"}, {call: "bind", addr: "lo", port: 1}, {call: "socket", fd: 1, kind: "udp"}},
	{{call: "socket", kind: "udp"}, {call: "bind", addr: "any", port: 1}, {call: "socket", fd: 1, kind: "udp"}, {call: "connect", fd: 1, addr: "lo", port: 1}},
	{{call: "socket", kind: "raw"}, {call: "socket", fd: 1, kind: "raw"}},
}

// connected has a listener in slot 0 and the two ends of a connection in slots 1 and 2.
var connected = script{
	{call: "socket", kind: "tcp"}, {call: "bind", addr: "lo", port: 1}, {call: "listen", n: 8},
	{call: "socket", fd: 1, kind: "tcp"}, {call: "connect", fd: 1, addr: "lo", port: 1}, {call: "accept", to: 2},
}

// script makes a script.
func (g *generator) script() script {
	s := slices.Clone(pick(g, beginnings...))
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

// note records the effect of a call on the sockets.
func (g *generator) note(o op) {
	switch o.call {
	case "socket":
		g.kinds[o.fd] = o.kind
	case "accept":
		g.kinds[o.to] = "tcp"
	}
}

var optionNames = slices.Sorted(maps.Keys(options))

func (g *generator) op() op {
	o := op{fd: pick(g, 0, 1, 1, 1, 2, 2, 2, 3), addr: "-"}
	o.call = pick(g, "socket", "bind", "listen", "accept", "connect", "connect", "shutdown", "shutdown", "close", "send", "send", "send",
		"send", "recv", "recv", "recv", "recv", "poll", "poll", "FIONREAD", "SIOCOUTQ", "SIOCATMARK", "getsockname", "getpeername", "getsockopt", "setsockopt",
		"setsockopt")
	switch o.call {
	case "socket":
		o.kind = pick(g, "tcp", "tcp", "udp", "raw")
	case "bind":
		o.addr, o.port = pick(g, "lo", "lo", "any", "lo2", "alien", "group"), g.IntN(scriptPorts+1)
	case "connect":
		o.addr, o.port = pick(g, "lo", "lo", "lo", "any", "-", "-", "lo2", "alien", "group"), pick(g, 1, 1, 1, 2, 2, 3, 0)
	case "listen":
		o.n = pick(g, 8, 9)
	case "accept":
		o.to = g.IntN(slots)
	case "shutdown":
		o.n = pick(g, unix.SHUT_RD, unix.SHUT_WR, unix.SHUT_RDWR)
	case "send":
		o.n, o.flags = pick(g, 0, 1, 1, 5, 10), pick(g, 0, 0, 0, unix.MSG_OOB, unix.MSG_OOB, unix.MSG_MORE)
		if o.flags == unix.MSG_MORE && g.kinds[o.fd] == "tcp" && g.IntN(20) > 0 { // seldom: it takes 200 ms of real time
			o.flags = 0
		}
		o.addr, o.port = pick(g, "-", "-", "-", "lo", "lo", "any", "lo2", "alien", "group"), pick(g, 1, 1, 2, 3, 0)
	case "recv":
		o.n = pick(g, 0, 1, 3, 100, 100)
		o.flags = pick(g, 0, 0, 0, unix.MSG_OOB, unix.MSG_PEEK, unix.MSG_WAITALL, unix.MSG_TRUNC, unix.MSG_OOB|unix.MSG_PEEK, unix.MSG_PEEK|unix.MSG_TRUNC,
			unix.MSG_WAITALL|unix.MSG_PEEK)
	case "getsockopt", "setsockopt":
		g.option(&o)
	}
	return o
}

// option chooses an option for the call.
func (g *generator) option(o *op) {
	for {
		o.opt = pick(g, optionNames...)
		opt := options[o.opt]
		switch {
		case o.call == "getsockopt" && opt.size > 0:
			return
		case o.call == "setsockopt" && o.opt == "TCP_CORK" && g.IntN(10) > 0: // for the same reason
		case o.call == "setsockopt" && len(opt.values) > 0:
			o.value = pick(g, opt.values...)
			return
		}
	}
}
