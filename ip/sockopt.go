package ip

import (
	"slices"

	"tunstack/internal/ports"
)

// SocketOptions are the settings at the level of IP that sockets of every transport have. A copy shares IPOptions: a setter
// replaces the slice and never changes its elements.
type SocketOptions struct {
	Versions  Versions    // the address family, and IPV6_V6ONLY
	TOS, TTL  uint8       // IP_TOS, IP_TTL; TTL 0: the stack's default
	MinTTL    uint8       // IP_MINTTL: a segment with a lower TTL is dropped (RFC 5082)
	Device    *Interface  // SO_BINDTODEVICE: the only interface that it receives from and sends by; nil: all
	DontRoute bool        // SO_DONTROUTE: sends only to neighbours
	FreeBind  bool        // IP_FREEBIND: may be bound to an address that the stack does not have, and over IPv6 sends from it
	NoPort    bool        // IP_BIND_ADDRESS_NO_PORT: Bind to port 0 leaves the choice of the port to Connect
	Ports     ports.Range // IP_LOCAL_PORT_RANGE: the range of ephemeral ports
	NoAddr    bool        // limited broadcasts leave from 0.0.0.0: see Via.NoAddr
	RecvErr   bool        // IP_RECVERR: ICMP errors go to the error queue
	IPOptions []byte      // IP_OPTIONS
	Discover  Discover    // IP_MTU_DISCOVER
	V6        *Options6   // those for IPv6: see IPv6 and SetIPv6; nil: the defaults
}

// NewSocketOptions returns the options of a new socket.
func NewSocketOptions(v Versions) SocketOptions {
	return SocketOptions{Versions: v, Discover: DiscoverWant}
}

// Discover selects whether a socket learns the path MTU (RFC 1191), with Linux's numbers.
type Discover uint8

// Values of Discover.
const (
	DiscoverDont      Discover = iota // fragment
	DiscoverWant                      // let DF find the path MTU if the transport can cut its segments by it
	DiscoverDo                        // send DF, and refuse larger datagrams
	DiscoverProbe                     // send DF
	DiscoverInterface                 // fragment
	DiscoverOmit                      // fragment
)

// DF reports whether a transport that cuts its segments by the path MTU sends them with DF.
func (d Discover) DF() bool { return d == DiscoverWant || d == DiscoverDo || d == DiscoverProbe }

// Via is the way that the socket's packets may take.
func (o *SocketOptions) Via() Via {
	return Via{Device: o.Device, OnLink: o.DontRoute, Public: o.IPv6().Preferences == PreferPublic, Foreign: o.FreeBind, NoAddr: o.NoAddr}
}

// Clone returns a copy that shares no memory with o.
func (o SocketOptions) Clone() SocketOptions {
	o.IPOptions = slices.Clone(o.IPOptions)
	o.V6 = o.V6.Clone()
	return o
}
