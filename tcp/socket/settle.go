package socket

import (
	"syscall"

	"tunstack/internal/poll"
	"tunstack/tcp"
)

// settle sends the machine's segments, handles its events and sets the timer.
func (h heldConn) settle() {
	if h.evicted.Load() {
		h.evicted.Store(false)
		h.tcb.Abort(h.now)
	}
	if mtu := h.mtu(h.route); mtu > 0 {
		h.tcb.SetMTU(mtu)
	}
	if h.route.Dst.Is6() && h.tcb.Progressed() {
		h.route.Confirm(h.now)
	}
	for more := true; more; {
		h.send()
		events := h.tcb.Events()
		h.handleEvents(events)
		more = events != 0 // handling them may cause more segments
	}
	if h.closed {
		h.stack.orphans.update(h)
	}
	if at := h.tcb.Deadline(); at != 0 {
		h.timer.ArmEarlier(at)
	}
}

func (h heldConn) send() {
	var seg tcp.Segment
	for h.tcb.Output(h.now, &seg) {
		if err := h.stack.transmit(h.now, &h.flow, &h.settings, &seg); err != nil {
			h.sendFailed(err.(syscall.Errno))
		}
	}
}

// handleEvents turns the machine's events into wake-ups and upkeep of the Socket.
func (h heldConn) handleEvents(events tcp.Events) {
	if events == 0 {
		return
	}
	if events&tcp.Connected != 0 {
		h.established = true
	}
	if events&tcp.Troubled != 0 {
		h.stack.ip.SuspectGateway(h.now, h.route)
		h.reportSoftError(syscall.ETIMEDOUT)
	}
	if events&tcp.Failed != 0 && !h.closed {
		h.err = h.tcb.Err()
		if h.err == syscall.ETIMEDOUT && h.softErr != 0 {
			h.err = h.softErr
		}
	}
	if h.parent != nil {
		h.notifyListener(events)
	}
	if events&tcp.Ended != 0 {
		h.end()
	}
	h.waiters.Notify(pollMask(events))
}

// pollMask translates the machine's events to those of poll(2).
func pollMask(events tcp.Events) (mask poll.Mask) {
	for _, w := range [...]struct {
		events tcp.Events
		mask   poll.Mask
	}{
		{tcp.Readable, poll.In | poll.RdHup},
		{tcp.Writable | tcp.Connected, poll.Out},
		{tcp.Urgent, poll.Pri},
		{tcp.Failed, poll.Err},
		{tcp.Ended, poll.Hup},
		{tcp.Acked, poll.Delivered},
	} {
		if events&w.events != 0 {
			mask |= w.mask
		}
	}
	return mask
}

// notifyListener moves a connection from the half-open ones to the accept queue, or takes it out of both. If the listener has
// closed meanwhile, the connection is reset.
func (h heldConn) notifyListener(events tcp.Events) {
	switch {
	case h.tcb.State() == tcp.Closed:
		h.parent.remove(h.connection)
		h.parent, h.closed = nil, true
	case events&tcp.Connected != 0 && !h.parent.enqueue(h.connection):
		h.discard()
	}
}

// end takes a finished connection out of the table; one in TIME-WAIT stays until that is over.
func (h heldConn) end() {
	if h.tcb.State() == tcp.TimeWait {
		h.port = h.stack.ports.TimeWait(h.port)
		return
	}
	h.gone = true
	h.timer.Stop()
	h.stack.conns.remove(h.connection)
	held{h.Socket, h.now}.releasePort()
}

// orphaned enters a connection that its user has just closed into the orphans, unless closing has ended it, and makes room for it.
func (h heldConn) orphaned() {
	if h.tcb.State() == tcp.Closed {
		return
	}
	s := h.stack
	s.orphans.add(h)
	for c := s.orphans.evict(s.cfg.OrphanMemory); c != nil; c = s.orphans.evict(s.cfg.OrphanMemory) {
		s.stats.OrphansGivenUp.Inc()
		c.evicted.Store(true)
		c.poke(h.now)
	}
}
