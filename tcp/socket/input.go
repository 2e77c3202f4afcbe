package socket

import (
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

// arrival is a segment from the wire, with the fields of its IP header.
type arrival struct {
	seg       tcp.Segment
	id        ip.FourTuple
	in        *ip.Interface // that it came by; nil if it comes from a backlog
	ttl       uint8
	headerLen int     // of the IP header, in bytes
	route     []byte  // options of the source route to the sender; nil if the segment came by none
	queue     uint16  // of the device
	minISS    tcp.Seq // the lowest initial sequence number of a new connection; 0: any
}

// parse reads the segment in p, which starts after the IP header h.
func (a *arrival) parse(network *ip.Stack, h *ip.Datagram, p *packet.Buffer) error {
	err := a.seg.Parse(p.Bytes())
	a.seg.CE = h.TOS&ecnMask == ecnCE
	a.id = ip.NewFourTuple(netip.AddrPortFrom(h.Dst, a.seg.DstPort), netip.AddrPortFrom(h.Src, a.seg.SrcPort))
	a.in, a.ttl, a.headerLen, a.route, a.queue = h.In, h.TTL, h.HeaderLen, network.ReplyOptions(h), p.Queue
	return err
}

// Input handles a segment from the wire, which lies in p, and takes p over: it is for a connection, for a listener, or answered
// with a reset (RFC 9293 section 3.10.7).
func (s *Stack) Input(now time.Duration, h *ip.Datagram, p *packet.Buffer) {
	s.stats.SegsIn.Inc()
	var a arrival
	switch {
	case h.Cast != packet.Unicast:
		s.stats.DropAddress.Inc()
	case a.parse(s.ip, h, p) != nil:
		s.stats.DropHeader.Inc()
	case !verify(h, p):
		s.stats.DropChecksum.Inc()
	default:
		s.dispatch(now, &a, p)
		return
	}
	p.Free()
}

func (s *Stack) dispatch(now time.Duration, a *arrival, p *packet.Buffer) {
	c := s.conns.find(&a.id)
	if c != nil && c.receivesFrom(a.in) && !s.reuseTimeWait(now, c, a) {
		if !c.belowMinTTL(a) {
			c.deliver(now, a, p)
			return
		}
		s.stats.DropMinTTL.Inc()
		p.Free()
		return
	}
	switch l := s.listeners.find(a); {
	case l == nil:
		s.stats.DropNoConnection.Inc()
		s.reset(now, a)
	case l.socket.belowMinTTL(a):
		s.stats.DropMinTTL.Inc()
	default:
		l.input(now, a, p)
	}
	p.Free()
}

// reuseTimeWait ends a connection in TIME-WAIT if the segment is a SYN that may begin its successor (RFC 9293 section 3.6.1, RFC
// 6191), and reports whether it did. It asks for a listener first: otherwise the SYN would end the old connection and get no new one.
func (s *Stack) reuseTimeWait(now time.Duration, c *connection, a *arrival) bool {
	if a.seg.Flags&(tcp.SYN|tcp.ACK|tcp.RST) != tcp.SYN || s.listeners.find(a) == nil {
		return false
	}
	h, ok := c.tryLock(now)
	if !ok {
		return false
	}
	defer h.commit()
	a.minISS, ok = c.tcb.Reuse(h.now, &a.seg)
	return ok
}

// verify checks the checksum, unless the device has done so or the segment never crossed a wire.
func verify(h *ip.Datagram, p *packet.Buffer) bool {
	if p.Offload.Checksum != packet.ChecksumNone {
		return true
	}
	b := p.Bytes()
	return checksum.Sum(b, h.PseudoSum(len(b))) == 0xffff
}
