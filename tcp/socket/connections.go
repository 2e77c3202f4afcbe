package socket

import (
	"net/netip"

	"tunstack/tcp"
)

// Connection is what a connection knows of itself.
type Connection struct {
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	tcp.Info
}

// Connections lists all connections, TIME-WAIT, half-open and ownerless ones included.
func (d *Demux) Connections() []Connection {
	var rows []Connection
	for _, e := range d.conns.all() {
		now := e.lock()
		if e.conn != nil && !e.gone {
			rows = append(rows, Connection{e.id.localEnd(), e.id.remoteEnd(), e.conn.Info()})
		}
		e.unlock(now)
	}
	return rows
}
