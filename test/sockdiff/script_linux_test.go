package sockdiff

import (
	"fmt"
	"net/netip"
	"strings"

	"tunstack/socketapi"
)

// slots is the number of sockets that a script can have at a time.
const slots = 5

// op is one call of a script. A call uses the fields for its arguments.
type op struct {
	call  string
	fd    int    // the slot of the socket
	to    int    // accept: the slot of the new socket
	kind  string // socket: a key of kinds
	addr  string // a key of addresses
	port  int    // 0: port 0; 1 and up: a port that belongs to the script
	n     int    // number of bytes; a backlog; the half to shut down
	flags int
	with  string // send: a key of ancillaries
	opt   string // a key of options
	value string // for setsockopt, as in options
}

// script is a sequence of calls.
type script []op

// addresses are the destinations and own addresses that scripts name; "-" stands for AF_UNSPEC or no address. To a socket of AF_INET6 those of
// IPv4 are IPv4-mapped.
var addresses = map[string]netip.Addr{
	"any":    netip.IPv4Unspecified(),
	"lo":     netip.MustParseAddr("127.0.0.1"),
	"lo2":    netip.MustParseAddr("127.0.0.2"),
	"alien":  netip.MustParseAddr("192.0.2.1"),
	"group":  netip.MustParseAddr("224.0.0.9"),
	"any6":   netip.IPv6Unspecified(),
	"lo6":    netip.IPv6Loopback(),
	"alien6": netip.MustParseAddr("2001:db8::1"),
	"group6": netip.MustParseAddr("ff05::9"),
	"link6":  netip.MustParseAddr("fe80::9%lo"),
	"near6":  netip.MustParseAddr("ff02::9%lo"),
	"-":      {},
}

var flagNames = []struct {
	bit  int
	name string
}{
	{socketapi.MSG_OOB, "OOB"}, {socketapi.MSG_PEEK, "PEEK"}, {socketapi.MSG_TRUNC, "TRUNC"}, {socketapi.MSG_WAITALL, "WAITALL"},
	{socketapi.MSG_MORE, "MORE"}, {socketapi.MSG_DONTWAIT, "DONTWAIT"}, {socketapi.MSG_ERRQUEUE, "ERRQUEUE"},
}

// flagString names the flags of a send or receive.
func flagString(flags int) string {
	var s []string
	for _, f := range flagNames {
		if flags&f.bit != 0 {
			s = append(s, f.name)
		}
	}
	if len(s) == 0 {
		return "0"
	}
	return strings.Join(s, "|")
}

// String is the call in the form of reports and of accepted.tsv.
func (o op) String() string {
	where := fmt.Sprintf("%s:p%d", o.addr, o.port)
	if o.addr == "-" {
		where = "-"
	}
	switch o.call {
	case "socket":
		return fmt.Sprintf("%d = socket(%s)", o.fd, o.kind)
	case "accept":
		return fmt.Sprintf("%d = accept(%d)", o.to, o.fd)
	case "bind", "connect":
		return fmt.Sprintf("%s(%d, %s)", o.call, o.fd, where)
	case "listen", "shutdown":
		return fmt.Sprintf("%s(%d, %d)", o.call, o.fd, o.n)
	case "send":
		if o.with != "" {
			where += ", " + o.with
		}
		return fmt.Sprintf("send(%d, %d, %s, %s)", o.fd, o.n, flagString(o.flags), where)
	case "recv":
		return fmt.Sprintf("recv(%d, %d, %s)", o.fd, o.n, flagString(o.flags))
	case "getsockopt":
		return fmt.Sprintf("getsockopt(%d, %s)", o.fd, o.opt)
	case "setsockopt":
		return fmt.Sprintf("setsockopt(%d, %s, %s)", o.fd, o.opt, o.value)
	}
	return fmt.Sprintf("%s(%d)", o.call, o.fd)
}

// observes reports whether the call leaves the socket unchanged.
func (o op) observes() bool {
	switch o.call {
	case "poll", "getsockname", "getpeername", "FIONREAD", "SIOCOUTQ", "SIOCATMARK":
		return true
	case "getsockopt":
		return o.opt != "SO_ERROR"
	}
	return false
}

// observed is the script followed by all calls that observe its sockets.
func (s script) observed() script {
	out := append(script(nil), s...)
	for fd := range slots {
		for _, call := range []string{"poll", "getsockname", "getpeername", "SIOCOUTQ", "FIONREAD", "SIOCATMARK"} {
			out = append(out, op{call: call, fd: fd})
		}
		out = append(out, op{call: "getsockopt", fd: fd, opt: "TCP_INFO"}, op{call: "getsockopt", fd: fd, opt: "SO_ERROR"},
			op{call: "recv", fd: fd, n: 100, flags: socketapi.MSG_DONTWAIT}, op{call: "recv", fd: fd, n: 100, flags: socketapi.MSG_DONTWAIT})
	}
	return out
}
