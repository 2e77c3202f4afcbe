// Package raw implements the raw sockets of Linux (raw(7)), which receive a copy of every datagram of one IP protocol, header
// included, and send datagrams of it, and its ping sockets (icmp(7)), which receive only the replies to their own requests.
package raw

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"tunstack/internal/clock"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// ProtocolRaw is IPPROTO_RAW: the socket only sends, and the caller supplies the IP header.
const ProtocolRaw = 255

// Stack holds the raw sockets of a stack.
type Stack struct {
	ip    *ip.Stack
	clock clock.Clock
	stats counters

	mu  sync.Mutex
	all map[*Socket]struct{}
}

type counters struct {
	InDatagrams  stats.Counter `name:"raw.in.datagrams" doc:"datagrams delivered to a socket"`
	OutDatagrams stats.Counter `name:"raw.out.datagrams" doc:"datagrams sent"`
	OutFailed    stats.Counter `name:"raw.out.failed" doc:"datagrams that the layers below refused"`
	DropFull     stats.Counter `name:"raw.drop.full" doc:"the socket's queue was full" rfc:"RFC 1122 4.1.4"`
}

// New returns the raw sockets of ip.
func New(stack *ip.Stack, clk clock.Clock) *Stack {
	return &Stack{ip: stack, clock: clk, all: make(map[*Socket]struct{})}
}

// Stats is a pointer to the counters, for stats.Read.
func (s *Stack) Stats() any { return &s.stats }

// Status is one row of netstat.
type Status struct {
	Protocol      uint8
	RecvQ         int        // queued bytes, with overhead
	Local, Remote netip.Addr // Local is the wildcard without Bind, Remote invalid without Connect
}

// Sockets lists all sockets for netstat, ordered by protocol.
func (s *Stack) Sockets() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.all))
	for e := range s.all {
		st := e.State()
		list = append(list, Status{e.protocol, e.Used(), st.Local.Addr(), st.Remote.Addr()})
	}
	slices.SortFunc(list, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return list
}
