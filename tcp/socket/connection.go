package socket

import (
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/tcp"
)

// connection is the state of a Socket after Connect, and of each one that a listener makes, TIME-WAIT and CLOSED included. The
// packet path deals with connections alone. A Socket whose attempt to connect has failed gets another one at the next.
type connection struct {
	*Socket
	timer   timer.Timer
	backlog backlog
	again   atomic.Bool // there is work for the holder of the lock, see poke
	batched atomic.Bool // a Flush is scheduled
	next    *connection // with the same hash in the table of connections; guarded by its stripe

	// mu guards the rest.
	flow                 // its id does not change while it is in the table
	last   time.Duration // the latest time that the machine was told
	tcb    *tcp.Conn     // the state machine
	parent *listener     // until Accept; nil after an active open
	orphan
	softErr     syscall.Errno // of ICMP or the link: the reason of a later timeout
	established bool          // the connection is, or was
	gone        bool          // out of the table
}

// newConnection prepares a connection of so. It lacks tcb.
func (so *Socket) newConnection(now time.Duration, f flow) *connection {
	c := &connection{Socket: so, flow: f, last: now}
	c.timer.Init(so.stack.cfg.Timers, c)
	return c
}

// deliver hands the connection a segment of its peer, which lies in p, and takes p over. Answers wait for the end of the batch,
// except those of a handshake, because the accept queue has to be counted, and those that the machine wants apart.
func (c *connection) deliver(now time.Duration, a *arrival, p *packet.Buffer) {
	h, ok := c.tryLock(now)
	if !ok {
		if !c.backlog.put(a.headerLen, p) {
			c.stack.stats.DropSocketBusy.Inc()
		}
		c.poke(now)
		return
	}
	h.drain()
	batch := p.Batch
	atOnce := batch == nil || c.tcb.State() == tcp.SynReceived
	h.receive(a, p)
	if atOnce || c.tcb.AckApart() {
		h.commit()
		return
	}
	if !c.batched.Swap(true) {
		batch.Add(c)
	}
	h.handleEvents(c.tcb.Events()) // wakes the reader, whose reply may carry the acknowledgment
	h.unlockQuietly()
}

// drain processes the segments that arrived while another goroutine held the lock.
func (h heldConn) drain() {
	for p := h.backlog.take(); p != nil; {
		next := p.Next
		var a arrival
		d, _ := h.route.Family().Parse(p.Bytes())
		p.TrimFront(d.HeaderLen)
		if a.parse(h.stack.ip, &d, p) == nil {
			h.receive(&a, p)
		} else {
			p.Free()
		}
		p = next
	}
}

// receive runs the machine on a segment and the packet that it lies in, which the machine may keep.
func (h heldConn) receive(a *arrival, p *packet.Buffer) {
	a.seg.Buffer = p
	h.input(a)
	if a.seg.Buffer != nil {
		p.Free()
	}
}

// input runs the machine on a segment. The final ACK of a handshake may have to be sent again.
func (h heldConn) input(a *arrival) {
	h.queue = a.queue
	seg := &a.seg
	if h.parent != nil && h.tcb.State() == tcp.SynReceived && seg.Flags&(tcp.ACK|tcp.RST) == tcp.ACK && h.postpones(seg) {
		return
	}
	if a.route == nil {
		h.tcb.Input(h.now, seg)
		return
	}
	// A later source route replaces the earlier (SHLD-24), if progress of the connection proves that the segment is the peer's.
	before := progress(h.tcb)
	if h.tcb.Input(h.now, seg); progress(h.tcb) > before {
		h.returnBy(a)
	}
}

// progress is the number of bytes received in order, or sent and acknowledged.
func progress(c *tcp.Conn) uint64 {
	i := c.Info()
	return i.BytesAcked + i.BytesReceived
}
