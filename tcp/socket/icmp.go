package socket

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/ip"
	"tunstack/ip/errqueue"
	"tunstack/tcp"
)

// HandleError handles an ICMP error about a segment of ours (RFC 9293 section 3.9.2.2, RFC 5927).
func (d *Demux) HandleError(now time.Duration, e *ip.Error, quoted []byte) {
	id := ip.NewFourTuple(netip.AddrPortFrom(e.Quoted.Src, binary.BigEndian.Uint16(quoted)),
		netip.AddrPortFrom(e.Quoted.Dst, binary.BigEndian.Uint16(quoted[2:])))
	if c := d.conns.find(&id); c != nil {
		c.handleError(now, e, quoted)
	}
}

// handleError takes an ICMP error, if it quotes a segment that is really in flight (RFC 5927 section 4.1). Errors are hints: one
// that finds the lock taken is as good as lost on the way. Like Linux, an attempt to connect puts each on the error queue, also
// without IP_RECVERR.
func (e *Endpoint) handleError(now time.Duration, err *ip.Error, quoted []byte) {
	if !e.mu.TryLock() {
		return
	}
	defer e.unlock(now)
	switch {
	case e.conn == nil || !err.Local && !e.conn.InFlight(tcp.Seq(binary.BigEndian.Uint32(quoted[4:]))):
	case err.Kind == ip.TooBig, err.Kind == ip.Redirect:
		e.demux.ip.Apply(now, err) // settle sees the route's new MTU
	case err.Errno != 0:
		if e.conn.State() == tcp.SynSent {
			e.uncommon().errors.Push(errqueue.FromICMP(err, e.id.RemotePort, quoted))
		}
		e.doubt(now, err.Errno)
	}
}
