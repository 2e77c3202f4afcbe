package socket

import (
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

// flow is a connection as IP sees it.
type flow struct {
	id    ip.FourTuple
	queue uint16 // of the device that its segments came by: ours leave by it too
	route *ip.Route
}

// flowBack is the flow of answers to a segment. The error is that of ip.Stack.Route.
func (d *Demux) flowBack(a *arrival, via ip.Via) (flow, error) {
	route, err := d.ip.RouteVia(a.id.RemoteAddr(), a.id.LocalAddr(), via)
	return flow{a.id, a.queue, route}, err
}

// The ECN field of the IP header (RFC 3168 section 5).
const (
	ecnMask = 3
	ecnECT0 = 2
	ecnCE   = 3
)

// maxIPHeader is the longest header of any family in front of a segment: IPv4's with as many options as it can hold.
const maxIPHeader = 60

// transmit sends a segment. Its payload is borrowed until the device has taken it. What the link refuses is lost, and
// retransmission sees to it.
func (d *Demux) transmit(now time.Duration, f *flow, set *settings, s *tcp.Segment) error {
	s.SrcPort, s.DstPort = f.id.LocalPort, f.id.RemotePort
	n := s.HeaderLen()
	p := packet.New(n)
	header := p.Extend(n)
	s.PutHeader(header)
	p.Borrow([2][]byte{s.Payload, s.Wrap})
	checksum.Put(header[16:], f.route.PseudoSum(ip.ProtocolTCP, n+s.DataLen()))
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: 16}
	if s.MSS > 0 {
		p.Offload.Segmentation, p.Offload.Size = packet.SegmentTCP, uint16(s.MSS)
	}
	p.Queue = f.queue
	o := ip.Outgoing{Protocol: ip.ProtocolTCP, DontFragment: true, TOS: set.TOS, TTL: set.TTL, Options: set.IPOptions}
	if s.ECT {
		o.TOS |= ecnECT0
	}
	return d.ip.Send(now, f.route, o, p)
}

// reset answers a segment that belongs to no connection (RFC 9293 section 3.10.7.1).
func (d *Demux) reset(now time.Duration, a *arrival) {
	var r tcp.Segment
	if !tcp.ResetFor(&a.seg, &r) {
		return
	}
	f, err := d.flowBack(a, ip.Via{})
	if err != nil {
		return
	}
	d.stats.SegsOut.Inc()
	d.stats.RstsOut.Inc()
	_ = d.transmit(now, &f, &settings{}, &r) // as lost as any other
}

// setup is what the machine needs to know of the surroundings of a new connection.
func (d *Demux) setup(now time.Duration, f *flow, set *settings) tcp.Setup {
	keyed, tsOffset := d.secret.derive(f.id)
	s := tcp.Setup{ISS: isn(now, keyed), TSOffset: tsOffset, MTU: set.mtu(f.route), LinkMTU: f.route.MTU(), Tracer: d.tracer(f.id)}
	if i := f.route.Interface(); i != nil {
		s.LinkMTU = i.MTU()
	}
	if tso := f.route.Features().TSO; tso > 0 {
		s.MaxPayload = tso - maxIPHeader - tcp.MaxHeaderLen
	}
	return s
}
