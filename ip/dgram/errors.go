package dgram

import (
	"net/netip"
	"syscall"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ip/errqueue"
)

// HandleError handles an ICMP error about a datagram to a port, of which the error quotes payload. With IP_RECVERR or IPV6_RECVERR each
// error goes to the error queue and becomes the pending error. Without it only a hard error counts, and only on a connected socket, because
// an unconnected one cannot tell which of its datagrams failed (RFC 1122 section 4.1.3.3, Linux ip(7)).
func (q *Receiver) HandleError(o *Options, connected bool, e *ip.Error, port uint16, payload []byte) {
	switch {
	case e.Kind == ip.TooBig && !o.acceptsTooBig(e.Quoted.Dst):
		// The path MTU is lower now, and the next datagram goes in fragments.
	case o.recvErr(e.Quoted.Dst):
		q.Report(errqueue.FromICMP(e, port, payload))
	case connected && (e.Hard || e.Kind == ip.TooBig && o.failsTooBig(e.Quoted.Dst)):
		q.Fail(e.Errno)
	}
}

// Refused tells the socket the path MTU when the stack itself has refused a datagram to a peer, with the header fields out, by EMSGSIZE: by
// an entry of the error queue with IP_RECVERR or IPV6_RECVERR, and by a PathMTU with IPV6_RECVPATHMTU if IPV6_DONTFRAG is the reason. It
// ignores other errors.
func (q *Receiver) Refused(o *Options, out *ip.Outgoing, err error, to netip.AddrPort, mtu int) {
	if err != syscall.EMSGSIZE {
		return
	}
	if to.Addr().Is6() {
		mtu -= out.V6.ExtensionsLen()
		if out.V6.DontFrag && o.IPv6().RecvPathMTU {
			q.pathMTU.Store(&PathMTU{to.Addr(), mtu})
		}
	}
	if !o.recvErr(to.Addr()) {
		return
	}
	q.mu.Lock()
	q.errors.Push(errqueue.Error{Errno: syscall.EMSGSIZE, Origin: errqueue.Local, Info: uint32(mtu), To: to})
	q.mu.Unlock()
	q.waiters.Notify(poll.Err)
}

// PathMTU is the path MTU to a peer, in bytes, that the next call to receive returns instead of data (IPV6_RECVPATHMTU).
type PathMTU struct {
	To  netip.Addr
	MTU int
}

// TakePathMTU removes the latest PathMTU; nil: there is none. As on Linux it waits while the option is off, and wakes nobody.
func (s *Socket) TakePathMTU() *PathMTU {
	if s.pathMTU.Load() == nil || !s.State().Options.IPv6().RecvPathMTU {
		return nil
	}
	return s.pathMTU.Swap(nil)
}

// Report puts an ICMP error on the error queue and makes it the pending error. It ignores an ICMP message without an error number.
func (q *Receiver) Report(e errqueue.Error) {
	if e.Errno == 0 {
		return
	}
	q.mu.Lock()
	q.errors.Push(e)
	q.err = e.Errno
	q.mu.Unlock()
	q.waiters.Notify(poll.Err)
}

// RecvError removes the oldest entry of the error queue (MSG_ERRQUEUE). Errors: EAGAIN.
func (q *Receiver) RecvError() (errqueue.Error, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.errors.Pop(&q.err)
}

// PurgeErrors empties the error queue, as turning IP_RECVERR off does.
func (q *Receiver) PurgeErrors() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.errors.Purge()
}

// Fail makes err the pending error; 0 is ignored.
func (q *Receiver) Fail(err syscall.Errno) {
	if err == 0 {
		return
	}
	q.mu.Lock()
	q.err = err
	q.mu.Unlock()
	q.waiters.Notify(poll.Err)
}

// TakeError returns and clears the pending error.
func (q *Receiver) TakeError() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.takeError()
}

func (q *Receiver) takeError() error {
	if q.err == 0 {
		return nil
	}
	err := q.err
	q.err = 0
	return err
}
