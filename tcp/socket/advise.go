package socket

import (
	"encoding/binary"
	"time"

	"tunstack/ip/errqueue"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// Advise handles an ICMP error about a segment of ours (RFC 9293 section 3.9.2.2, RFC 5927).
func (d *Demux) Advise(now time.Duration, e *ipv4.Error, quoted []byte) {
	id := tuple{
		local: e.Quoted.Src.As4(), localPort: binary.BigEndian.Uint16(quoted),
		remote: e.Quoted.Dst.As4(), remotePort: binary.BigEndian.Uint16(quoted[2:]),
	}
	if c := d.conns.find(id); c != nil {
		c.advise(now, e, quoted)
	}
}

// advise takes an ICMP error, if it quotes a segment that is really in flight (RFC 5927 section 4.1). Errors are hints: one that
// finds the lock taken is as good as lost on the way. Like Linux, an attempt to connect puts each on the error queue, also without
// IP_RECVERR.
func (e *Endpoint) advise(now time.Duration, err *ipv4.Error, quoted []byte) {
	if !e.mu.TryLock() {
		return
	}
	defer e.unlock(now)
	switch {
	case e.conn == nil || !err.Local && !e.conn.InFlight(tcp.Seq(binary.BigEndian.Uint32(quoted[4:]))):
	case err.FragNeeded():
		e.demux.ip.UpdatePMTU(now, err) // settle sees the route's new MTU
	case err.Errno() != 0:
		if e.conn.State() == tcp.SynSent {
			e.uncommon().errors.Push(errqueue.FromICMP(err, e.id.remotePort, quoted))
		}
		e.doubt(now, err.Errno())
	}
}
