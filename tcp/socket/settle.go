package socket

import (
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/internal/ports"
	"tunstack/tcp"
)

// settle sends what the machine has to send, and passes on what it has to tell.
func (e *Endpoint) settle(now time.Duration) {
	if e.conn == nil {
		return
	}
	if e.doomed.Load() {
		e.doomed.Store(false)
		e.conn.Abort(now)
	}
	if mtu := e.mtu(e.route); mtu > 0 {
		e.conn.SetMTU(mtu)
	}
	for more := true; more; {
		e.send(now)
		events := e.conn.Events()
		e.announce(now, events)
		more = events != 0 // what was done about them may call for more segments
	}
	if e.closed {
		e.demux.orphans.update(e)
	}
	if at := e.conn.Deadline(); at != 0 {
		e.timer.ArmEarlier(at)
	}
}

func (e *Endpoint) send(now time.Duration) {
	var s tcp.Segment
	for e.conn.Output(now, &s) {
		if err := e.demux.transmit(now, &e.flow, &e.settings, &s); err != nil {
			e.refused(now, err.(syscall.Errno))
		}
	}
}

// refused takes an error of IP or the link: what cannot be sent at all fails a connection attempt at once.
func (e *Endpoint) refused(now time.Duration, err syscall.Errno) {
	switch err {
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EINVAL:
		e.doubt(now, err)
	}
}

// doubt takes bad news of the network. It ends an attempt to connect; established connections survive (RFC 5461, RFC 5927
// section 5.2), and should they time out, it tells why.
func (e *Endpoint) doubt(now time.Duration, err syscall.Errno) {
	e.soft = err
	e.conn.Refuse(now, err)
	e.report(err)
}

// report makes a soft error pending, if the user wants to learn of them.
func (e *Endpoint) report(err syscall.Errno) {
	if e.RecvErr && !e.closed && e.established {
		e.err = err
		e.waiters.Notify(poll.Err)
	}
}

// announce turns the machine's events into wake-ups and the endpoint's own upkeep.
func (e *Endpoint) announce(now time.Duration, events tcp.Events) {
	if events == 0 {
		return
	}
	if events&tcp.Connected != 0 {
		e.established = true
	}
	if events&tcp.Troubled != 0 {
		e.demux.ip.SuspectGateway(now, e.route)
		e.report(syscall.ETIMEDOUT)
	}
	if events&tcp.Failed != 0 && !e.closed {
		e.err = e.conn.Err()
		if e.err == syscall.ETIMEDOUT && e.soft != 0 {
			e.err = e.soft
		}
	}
	if e.parent != nil {
		e.tellParent(now, events)
	}
	if events&tcp.Ended != 0 {
		e.end()
	}
	e.waiters.Notify(wakes(events))
}

// wakes are the events that waiters may wait for.
func wakes(events tcp.Events) (mask poll.Mask) {
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

// tellParent moves a connection of a listener from half-open to waiting, or out. The parent, when it has closed
// meanwhile, wants it no more.
func (e *Endpoint) tellParent(now time.Duration, events tcp.Events) {
	switch {
	case e.conn.State() == tcp.Closed:
		e.parent.lost(e)
		e.parent, e.closed = nil, true
	case events&tcp.Connected != 0 && !e.parent.ready(e):
		e.parent, e.closed = nil, true
		e.conn.Abort(now)
	}
}

// end takes a finished connection out of the table; one in TIME-WAIT stays until that is over.
func (e *Endpoint) end() {
	if e.conn.State() == tcp.TimeWait {
		e.port = e.demux.ports.TimeWait(e.port)
		return
	}
	e.gone = true
	e.timer.Stop()
	e.demux.conns.remove(e)
	e.releasePort()
}

// releasePort gives the port back once neither the connection nor an owner who chose it needs it.
func (e *Endpoint) releasePort() {
	if (e.closed || !e.bound) && (e.gone || e.conn == nil) {
		e.demux.ports.Release(e.port)
		e.port = ports.Reservation{}
	}
}
