package socketapi

import (
	"iter"
	"net/netip"

	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/link"
	"tunstack/tcp"
	tcpsocket "tunstack/tcp/socket"
	"tunstack/tun"
)

// InterfaceInfo is one row of Interfaces.
type InterfaceInfo = ip.InterfaceInfo

// Neighbor is one row of Neighbors.
type Neighbor = link.Neighbor

// Counter is one row of Counters.
type Counter = stats.Value

// Interfaces lists the interfaces, the loopback first.
func (s *Stack) Interfaces() []InterfaceInfo { return s.ip.Interfaces() }

// Routes lists the route table in the order it is searched.
func (s *Stack) Routes() []Route { return s.ip.Routes() }

// AddRoute adds a route. Errors: EINVAL, ENODEV, ENETUNREACH for a gateway that is not on a connected network, EEXIST.
func (s *Stack) AddRoute(r Route) error { return s.ip.AddRoute(r) }

// DelRoute removes the routes that match r. Errors: ESRCH when there is none.
func (s *Stack) DelRoute(r Route) error { return s.ip.DelRoute(r) }

// Neighbors lists the neighbour caches of all interfaces.
func (s *Stack) Neighbors() []Neighbor {
	var rows []Neighbor
	for _, a := range s.links {
		if a.ethernet != nil {
			rows = append(rows, a.ethernet.Neighbors(s.Now())...)
		}
	}
	return rows
}

// SocketInfo is one row of Sockets.
type SocketInfo struct {
	Protocol string         `json:"protocol"` // tcp, udp or raw
	State    string         `json:"state"`    // as ss prints it: ESTAB, LISTEN, TIME-WAIT ...; of others UNCONN or ESTAB
	RecvQ    int            `json:"recv_q"`   // octets; of a listener: connections to be accepted
	SendQ    int            `json:"send_q"`   // octets; of a listener: its backlog
	Local    netip.AddrPort `json:"local"`
	Remote   netip.AddrPort `json:"remote"`
	Info     *tcp.Info      `json:"info,omitempty"` // of a TCP connection, if it was asked for
}

// AllSockets goes through the sockets of all protocols, TCP's without an owner among them: TCP's listeners first, then its connections, in no
// order, then the others. It needs little memory however many there are. info asks for what TCP connections know of themselves.
func (s *Stack) AllSockets(info bool) iter.Seq[SocketInfo] {
	return func(yield func(SocketInfo) bool) {
		for t := range s.tcp.All(info) {
			if !yield(tcpRow(t)) {
				return
			}
		}
		for _, row := range s.otherSockets() {
			if !yield(row) {
				return
			}
		}
	}
}

// Sockets lists the same, TCP's in order of their addresses.
func (s *Stack) Sockets() []SocketInfo {
	var rows []SocketInfo
	for _, t := range s.tcp.Sockets() {
		rows = append(rows, tcpRow(t))
	}
	return append(rows, s.otherSockets()...)
}

func tcpRow(t tcpsocket.Status) SocketInfo {
	return SocketInfo{"tcp", t.State, t.RecvQ, t.SendQ, t.Local, t.Remote, t.Info}
}

// otherSockets are those of UDP and the raw ones.
func (s *Stack) otherSockets() (rows []SocketInfo) {
	for _, u := range s.udp.Endpoints() {
		rows = append(rows, SocketInfo{"udp", connected(u.Remote), u.RecvQ, 0, u.Local, u.Remote, nil})
	}
	for _, r := range s.raw.Endpoints() {
		local, remote := netip.AddrPortFrom(r.Local, 0), netip.AddrPortFrom(r.Remote, 0)
		rows = append(rows, SocketInfo{"raw", connected(remote), r.RecvQ, 0, local, remote, nil})
	}
	return rows
}

// connected is the state of a socket without connections.
func connected(remote netip.AddrPort) string {
	if remote.Addr().IsValid() {
		return "ESTAB"
	}
	return "UNCONN"
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

// Drops are the counters of drops of all layers, to be read at any time; those of each interface's link are in it.
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
			sets = append(sets, a.ethernet.NeighborStats(), a.ethernet.ARPStats())
		}
	}
	return append(append(sets, s.ip.Stats()...), s.ipv4.Stats(), s.icmp.Stats(), s.udp.Stats(), s.raw.Stats(), s.tcp.Stats())
}
