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
	queue uint16 // of the device that its segments came by, and ours leave by
	route *ip.Route
}

// flowBack is the flow of answers to a segment. The error is that of ip.Stack.Route.
func (s *Stack) flowBack(a *arrival, via ip.Via) (flow, error) {
	route, err := s.ip.RouteVia(a.id.RemoteAddr(), a.id.LocalAddr(), via)
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

// transmit sends a segment. Its payload is borrowed until the device has taken it. A segment that the link refuses counts
// as lost, and the machine retransmits it.
func (s *Stack) transmit(now time.Duration, f *flow, set *settings, seg *tcp.Segment) error {
	seg.SrcPort, seg.DstPort = f.id.LocalPort, f.id.RemotePort
	n := seg.HeaderLen()
	p := packet.New(n)
	header := p.Extend(n)
	seg.PutHeader(header)
	p.Borrow([2][]byte{seg.Payload, seg.Wrap})
	checksum.Put(header[16:], f.route.PseudoSum(ip.ProtocolTCP, n+seg.DataLen()))
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: 16}
	if seg.MSS > 0 {
		p.Offload.Segmentation, p.Offload.Size = packet.SegmentTCP, uint16(seg.MSS)
	}
	p.Queue = f.queue
	o := set.header(f.route)
	if seg.ECT {
		o.TOS |= ecnECT0
	}
	return s.ip.Send(now, f.route, o, p)
}

// reset answers a segment that belongs to no connection (RFC 9293 section 3.10.7.1).
func (s *Stack) reset(now time.Duration, a *arrival) {
	var r tcp.Segment
	if !tcp.ResetFor(&a.seg, &r) {
		return
	}
	f, err := s.flowBack(a, ip.Via{})
	if err != nil {
		return
	}
	s.stats.SegsOut.Inc()
	s.stats.RstsOut.Inc()
	_ = s.transmit(now, &f, &settings{SocketOptions: ip.NewSocketOptions(ip.Dual)}, &r) // an error is a lost segment
}

// setup is the environment of a new connection, for its machine.
func (s *Stack) setup(now time.Duration, f *flow, set *settings) tcp.Setup {
	keyed, tsOffset := s.secret.derive(f.id)
	setup := tcp.Setup{
		ISS: isn(now, keyed), TSOffset: tsOffset, Tracer: s.tracer(f.id),
		NetHeader: f.route.HeaderLen(), MTU: set.mtu(f.route), LinkMTU: f.route.MTU(),
	}
	if i := f.route.Interface(); i != nil {
		setup.LinkMTU = i.MTUTo(f.route.Dst)
	}
	if tso := f.route.Features().TSO; tso > 0 {
		setup.MaxPayload = tso - maxIPHeader - tcp.MaxHeaderLen
	}
	return setup
}
