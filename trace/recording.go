package trace

import (
	"net/netip"
	"slices"
)

// Recording keeps records, connection by connection. The zero value is ready for use.
type Recording struct {
	conns []*recorded
}

// recorded is the records of one connection.
type recorded struct {
	local, remote netip.AddrPort
	records       []Record
	ended         bool
}

// Add keeps a record. A Gap is added to all connections, because its records may be of any.
func (g *Recording) Add(r Record) {
	if r.Kind == Gap {
		for _, c := range g.conns {
			c.records = append(c.records, r)
		}
		return
	}
	c := g.find(&r)
	c.records = append(c.records, r)
	if r.Kind == State {
		c.ended = r.ended()
	}
}

// find returns the connection of a record: the last one between its ends, or a new one if that has ended and the record is of another
// state. A saved trace may have several, one after the other, if ports were used again or traces were joined.
func (g *Recording) find(r *Record) *recorded {
	for _, c := range slices.Backward(g.conns) {
		if c.local == r.Local && c.remote == r.Remote {
			if c.ended && !over(r.Vars.State) {
				break
			}
			return c
		}
	}
	c := &recorded{local: r.Local, remote: r.Remote}
	g.conns = append(g.conns, c)
	return c
}

// Ended reports whether there is a connection, and all connections are in TIME-WAIT or CLOSED.
func (g *Recording) Ended() bool {
	for _, c := range g.conns {
		if !c.ended {
			return false
		}
	}
	return len(g.conns) > 0
}

// Connections returns the records of each connection, in the order of their first records.
func (g *Recording) Connections() [][]Record {
	var all [][]Record
	for _, c := range g.conns {
		all = append(all, c.records)
	}
	return all
}
