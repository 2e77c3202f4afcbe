// Package udp implements the User Datagram Protocol (RFC 768, RFC 1122 section 4.1).
package udp

import (
	crand "crypto/rand"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"

	"tunstack/internal/clock"
	"tunstack/internal/ports"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	Clock             clock.Clock // required
	Rand              io.Reader   // a cryptographic source, read by New only; nil: crypto/rand
	PortLow, PortHigh uint16      // ephemeral ports; 0: 49152-65535
}

// Stack is the UDP layer of a stack.
type Stack struct {
	ip      *ip.Stack
	clock   clock.Clock
	ports   *ports.Table
	sockets sockets
	stats   counters
}

type counters struct {
	InDatagrams    stats.Counter `name:"udp.in.datagrams" doc:"datagrams delivered to a socket"`
	InErrors       stats.Counter `name:"udp.in.icmp_errors" doc:"ICMP errors about own datagrams" rfc:"RFC 1122 4.1.3.3"`
	OutDatagrams   stats.Counter `name:"udp.out.datagrams" doc:"datagrams sent"`
	OutFailed      stats.Counter `name:"udp.out.failed" doc:"datagrams that the layers below refused"`
	DropShort      stats.Counter `name:"udp.drop.short" doc:"no room for a header" rfc:"RFC 768"`
	DropLength     stats.Counter `name:"udp.drop.bad_length" doc:"length field below 8 or beyond the IP payload" rfc:"RFC 768"`
	DropChecksum   stats.Counter `name:"udp.drop.bad_checksum" doc:"checksum wrong" rfc:"RFC 1122 4.1.3.4"`
	DropNoChecksum stats.Counter `name:"udp.drop.no_checksum" doc:"IPv6 without checksum" rfc:"RFC 8200 8.1"`
	DropNoPort     stats.Counter `name:"udp.drop.no_port" doc:"no socket; answered with port unreachable" rfc:"RFC 1122 4.1.3.1"`
	DropNoListener stats.Counter `name:"udp.drop.no_listener" doc:"broadcast or multicast without a socket" rfc:"RFC 1122 3.2.2"`
	DropFull       stats.Counter `name:"udp.drop.full" doc:"the socket's queue was full" rfc:"RFC 768"`
	DropUnknown    stats.Counter `name:"udp.drop.icmp_unknown" doc:"ICMP errors that match no socket" rfc:"RFC 5927 4"`
}

// New returns the UDP layer and registers it with ip. It panics when the range of ports is empty or the random source fails.
func New(stack *ip.Stack, cfg Config) *Stack {
	if cfg.Rand == nil {
		cfg.Rand = crand.Reader
	}
	s := &Stack{ip: stack, clock: cfg.Clock, ports: ports.New(ports.Config{Low: cfg.PortLow, High: cfg.PortHigh, Rand: cfg.Rand})}
	var key [8]byte
	if _, err := io.ReadFull(cfg.Rand, key[:]); err != nil {
		panic("udp: reading the random source: " + err.Error())
	}
	s.sockets.key = binary.BigEndian.Uint64(key[:]) | 1
	stack.Register(ip.ProtocolUDP, s)
	return s
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack) Stats() any { return &s.stats }

// Status is one row of netstat.
type Status struct {
	RecvQ         int // queued bytes, with overhead
	Local, Remote netip.AddrPort
}

// Sockets lists all bound sockets for netstat, ordered by local port.
func (s *Stack) Sockets() []Status {
	var list []Status
	for _, e := range s.sockets.all() {
		st := e.State()
		list = append(list, Status{RecvQ: e.Used(), Local: st.Local, Remote: st.Remote})
	}
	slices.SortStableFunc(list, func(a, b Status) int { return a.Local.Compare(b.Local) })
	return list
}
