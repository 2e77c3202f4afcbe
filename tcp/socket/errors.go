package socket

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ip/errqueue"
	"tunstack/tcp"
)

// HandleError handles an ICMP error about a segment of ours (RFC 9293 section 3.9.2.2, RFC 5927).
func (s *Stack) HandleError(now time.Duration, e *ip.Error, quoted []byte) {
	id := ip.NewFourTuple(netip.AddrPortFrom(e.Quoted.Src, binary.BigEndian.Uint16(quoted)),
		netip.AddrPortFrom(e.Quoted.Dst, binary.BigEndian.Uint16(quoted[2:])))
	if c := s.conns.find(&id); c != nil {
		c.handleError(now, e, quoted)
	}
}

// handleError takes an ICMP error, if it quotes a segment that is really in flight (RFC 5927 section 4.1). Errors are hints: when
// another goroutine holds the lock, the error is dropped, as if it had been lost on the way. Like Linux, an attempt to connect
// puts each error on the error queue, also without IP_RECVERR.
func (c *connection) handleError(now time.Duration, err *ip.Error, quoted []byte) {
	h, ok := c.tryLock(now)
	if !ok {
		return
	}
	defer h.commit()
	switch {
	case !err.Local && !c.tcb.InFlight(tcp.Seq(binary.BigEndian.Uint32(quoted[4:]))):
	case err.Kind == ip.TooBig, err.Kind == ip.Redirect:
		c.stack.ip.Apply(now, err) // settle sees the route's new MTU
	case err.Errno != 0:
		if c.tcb.State() == tcp.SynSent {
			h.uncommon().errors.Push(errqueue.FromICMP(err, c.id.RemotePort, quoted))
		}
		h.softError(err.Errno)
	}
}

// sendFailed takes an error of IP or the link. If it means that no segment can be sent at all, it is a soft error.
func (h heldConn) sendFailed(err syscall.Errno) {
	switch err {
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EINVAL:
		h.softError(err)
	}
}

// softError takes an error of the network. It ends an attempt to connect. An established connection survives (RFC 5461, RFC 5927
// section 5.2), and if it times out later, the error is the reason.
func (h heldConn) softError(err syscall.Errno) {
	h.softErr = err
	h.tcb.FailConnect(h.now, err)
	h.reportSoftError(err)
}

// reportSoftError makes a soft error pending, if the user wants to learn of them (IP_RECVERR, IPV6_RECVERR).
func (h heldConn) reportSoftError(err syscall.Errno) {
	if h.recvErr(h.id.Version()) && !h.closed && h.established {
		h.err = err
		h.waiters.Notify(poll.Err)
	}
}
