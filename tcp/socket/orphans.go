package socket

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/tcp"
)

// orphans are the connections whose owner has closed: they still have to send, or are in TIME-WAIT. How long they last is up
// to their peers, so what they hold is bounded: beyond that those are given up that were closed first, for an honest peer's
// are soon done (RFC 6429 section 3).
type orphans struct {
	mu     sync.Mutex // taken after an endpoint's
	list   list.List  // of *Endpoint, the one closed first in front
	memory int        // bytes that they hold together
}

// orphan is an Endpoint's part in it.
type orphan struct {
	place  *list.Element // nil: it is none
	weight int           // bytes, counted in orphans.memory
	doomed atomic.Bool   // it is to be given up
}

// orphanWeight is what a connection costs besides what it holds (tcp.Conn.Memory), in bytes.
const orphanWeight = 4 << 10

// orphaned enters a connection that its owner has just closed, unless that has ended it, and makes room for it.
func (e *Endpoint) orphaned(now time.Duration) {
	if e.conn.State() == tcp.Closed {
		return
	}
	d := e.demux
	d.orphans.add(e)
	for oldest := d.orphans.beyond(d.cfg.OrphanMemory); oldest != nil; oldest = d.orphans.beyond(d.cfg.OrphanMemory) {
		d.stats.OrphansGivenUp.Inc()
		oldest.doomed.Store(true)
		oldest.look(now)
	}
}

func (o *orphans) add(e *Endpoint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e.place == nil {
		e.place = o.list.PushBack(e)
	}
	o.weigh(e)
}

// update follows what an Endpoint holds, which may be an orphan; one that has ended is none any more.
func (o *orphans) update(e *Endpoint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case e.place == nil:
	case e.conn.State() == tcp.Closed:
		o.remove(e)
	default:
		o.weigh(e)
	}
}

func (o *orphans) weigh(e *Endpoint) {
	o.memory -= e.weight
	e.weight = orphanWeight + e.conn.Memory()
	o.memory += e.weight
}

func (o *orphans) remove(e *Endpoint) {
	o.list.Remove(e.place)
	o.memory -= e.weight
	e.place, e.weight = nil, 0
}

// beyond takes out the orphan closed first if together they hold more than limit octets; nil if they do not.
func (o *orphans) beyond(limit int) *Endpoint {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.memory <= limit {
		return nil
	}
	e := o.list.Front().Value.(*Endpoint)
	o.remove(e)
	return e
}
