package socket

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"tunstack/tcp"
)

// Status is one row of netstat.
type Status struct {
	State         string // as ss prints it: ESTAB, LISTEN, TIME-WAIT ...
	RecvQ, SendQ  int    // bytes; of a listener: waiting connections and backlog
	Local, Remote netip.AddrPort
	Info          *tcp.Info // of a connection, if it was asked for
}

var stateNames = map[tcp.State]string{
	tcp.Closed: "UNCONN", tcp.SynSent: "SYN-SENT", tcp.SynReceived: "SYN-RECV", tcp.Established: "ESTAB",
	tcp.FinWait1: "FIN-WAIT-1", tcp.FinWait2: "FIN-WAIT-2", tcp.CloseWait: "CLOSE-WAIT", tcp.Closing: "CLOSING",
	tcp.LastAck: "LAST-ACK", tcp.TimeWait: "TIME-WAIT",
}

// All goes through all listeners and connections for netstat, half-open ones, orphans and TIME-WAIT included: the listeners first, then
// the connections in no order. It holds no more than a 64th of them at a time. info asks for TCP_INFO of each connection.
func (s *Stack) All(info bool) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for _, row := range s.listeners.status() {
			if !yield(row) {
				return
			}
		}
		for c := range s.conns.all() {
			if row, ok := c.status(info); ok && !yield(row) {
				return
			}
		}
	}
}

// Sockets lists the same: the listeners first, then by addresses.
func (s *Stack) Sockets() []Status {
	rows := slices.Collect(s.All(false))
	slices.SortFunc(rows, func(a, b Status) int {
		return cmp.Or(rank(a)-rank(b), a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return rows
}

func rank(s Status) int {
	if s.State == listening {
		return 0
	}
	return 1
}

// listening is the state of a listener.
const listening = "LISTEN"

// status is the connection's row; false when it has ended since it was found in the table.
func (c *connection) status(info bool) (Status, bool) {
	h := c.begin()
	defer h.commitLater()
	if c.gone {
		return Status{}, false
	}
	row := Status{
		State: stateNames[c.tcb.State()], RecvQ: c.tcb.Readable(), SendQ: c.tcb.Unacked(),
		Local: c.id.Local(), Remote: c.id.Remote(),
	}
	if info {
		i := c.tcb.Info()
		row.Info = &i
	}
	return row, true
}

func (t *listeners) status() []Status {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var rows []Status
	for _, ls := range t.ports {
		for _, l := range ls {
			rows = append(rows, l.status())
		}
	}
	return rows
}

func (l *listener) status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{State: listening, RecvQ: len(l.acceptQueue), SendQ: l.backlog,
		Local: l.local, Remote: netip.AddrPortFrom(l.versions.Wildcard(), 0)}
}
