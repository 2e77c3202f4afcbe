package socketapi

import (
	"iter"
	"net/netip"

	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/link"
	"tunstack/tcp"
	"tunstack/tun"
)

// InterfaceInfo is one row of Interfaces.
type InterfaceInfo = ip.InterfaceInfo

// AddressInfo is an address of an InterfaceInfo.
type AddressInfo = ip.AddressInfo

// GroupInfo is a multicast group of an InterfaceInfo.
type GroupInfo = ip.GroupInfo

// Forever is the lifetime of an address that does not end.
const Forever = ip.Forever

// Neighbor is one row of Neighbors.
type Neighbor struct {
	link.Neighbor
	Interface string `json:"interface"`
}

// Counter is one row of Counters.
type Counter = stats.Value

// Interfaces lists the interfaces, the loopback first.
func (s *Stack) Interfaces() []InterfaceInfo { return s.ip.Interfaces(s.Now()) }

// Routes lists the route table in the order of the search.
func (s *Stack) Routes() []Route { return s.ip.Routes() }

// AddRoute adds a route. Errors: EINVAL, ENODEV, ENETUNREACH for a gateway that is not on a connected network, EEXIST.
func (s *Stack) AddRoute(r Route) error { return s.ip.AddRoute(r) }

// DelRoute removes the routes that match r. Errors: ESRCH without a match.
func (s *Stack) DelRoute(r Route) error { return s.ip.DelRoute(r) }

// Neighbors lists the neighbour caches of all interfaces.
func (s *Stack) Neighbors() []Neighbor {
	var rows []Neighbor
	for _, a := range s.links {
		if a.ethernet != nil {
			for _, n := range a.ethernet.Neighbors(s.Now()) {
				rows = append(rows, Neighbor{n, a.name})
			}
		}
	}
	return rows
}

// SocketInfo is one row of Sockets.
type SocketInfo struct {
	Protocol string         `json:"protocol"` // tcp, udp or raw
	State    string         `json:"state"`    // as ss prints it: ESTAB, LISTEN, TIME-WAIT ...; others UNCONN or ESTAB
	RecvQ    int            `json:"recv_q"`   // bytes; of a listener: connections that wait for accept
	SendQ    int            `json:"send_q"`   // bytes; of a listener: its backlog
	Local    netip.AddrPort `json:"local"`
	Remote   netip.AddrPort `json:"remote"`
	Info     *tcp.Info      `json:"info,omitempty"` // of a TCP connection, if requested
}

// AllSockets iterates over the sockets of all protocols, closed TCP sockets that still deliver data among them: TCP's listeners first,
// then its connections in no order, then the others. Its memory does not grow with the number of connections. info requests Info.
func (s *Stack) AllSockets(info bool) iter.Seq[SocketInfo] {
	return func(yield func(SocketInfo) bool) {
		for i := range transports {
			for row := range transports[i].sockets(s, info) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// Sockets lists the same sockets, TCP's in the order of their addresses.
func (s *Stack) Sockets() (rows []SocketInfo) {
	for i := range transports {
		if t := &transports[i]; t.list != nil {
			rows = append(rows, t.list(s)...)
		}
	}
	return rows
}

// Counters are the counters of all layers. Those of the links are summed over the interfaces.
func (s *Stack) Counters() []Counter {
	var rows []Counter
	index := map[string]int{}
	add := func(set any) {
		for _, v := range stats.Read(set) {
			if at, ok := index[v.Name]; ok {
				rows[at].Value += v.Value
				continue
			}
			index[v.Name] = len(rows)
			rows = append(rows, v)
		}
	}
	for _, layer := range s.layers() {
		add(layer)
	}
	return rows
}

// DropCounter counts the packets that were dropped for one reason.
type DropCounter = stats.Named

// Drops are the drop counters of all layers and of each interface's link. They may be read at any time.
func (s *Stack) Drops() []DropCounter {
	var rows []DropCounter
	for _, layer := range s.layers() {
		rows = append(rows, stats.Drops(layer)...)
	}
	return rows
}

// layers are the sets of counters of all layers, the lowest first.
func (s *Stack) layers() []any {
	var sets []any
	for _, a := range s.links {
		if a.device != nil {
			sets = append(sets, tun.Counters(a.device)...)
		}
		sets = append(sets, a.link.Stats())
		if a.ethernet != nil {
			sets = append(sets, a.ethernet.NeighborStats(), a.ethernet.ARPStats(), a.ethernet.DiscoveryStats())
		}
		if a.host != nil {
			sets = append(sets, a.host.Stats())
		}
	}
	sets = append(append(sets, s.ip.Stats()...), s.ipv4.Stats(), s.ipv4.IGMPStats(), s.ipv6.Stats(), s.ipv6.MLDStats(), s.icmp.Stats(), s.icmp6.Stats(), s.icmp6.DiscoveryStats())
	for i := range transports {
		if t := &transports[i]; t.stats != nil {
			sets = append(sets, t.stats(s))
		}
	}
	return append(sets, s.resolver.Stats())
}
