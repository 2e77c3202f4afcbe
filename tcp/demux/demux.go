// Package demux joins the pure TCP machine of package tcp to the stack: it finds the connection a segment belongs to,
// and gives each connection a lock, a timer and an owner.
package demux

import (
	"crypto/rand"
	"io"
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/ports"
	"tunstack/internal/timer"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// Config of a Demux; zero values mean the documented defaults.
type Config struct {
	tcp.Config
	Clock             clock.Clock
	Timers            *timer.Queue
	Rand              io.Reader // a cryptographic source, read at the start; nil: crypto/rand
	PortLow, PortHigh uint16    // ephemeral ports; 0: 49152-65535
	MaxHalfOpen       int       // connections in SYN-RECEIVED per listener, beyond which it answers with cookies; 1024
}

// Demux is the TCP layer of one host.
type Demux struct {
	cfg       Config
	ip        *ipv4.Stack
	ports     *ports.Table
	conns     table
	listeners listeners
	secret    secret
	cookies   cookies
	stats     *tcp.Stats
}

// New returns the TCP layer and registers it with ip. It panics when the random source fails.
func New(ip *ipv4.Stack, cfg Config) *Demux {
	cfg.Config = cfg.Config.WithDefaults()
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.MaxHalfOpen == 0 {
		cfg.MaxHalfOpen = 1024
	}
	d := &Demux{cfg: cfg, ip: ip, stats: cfg.Stats,
		ports: ports.New(ports.Config{Rand: cfg.Rand, Low: cfg.PortLow, High: cfg.PortHigh})}
	d.secret.init(cfg.Rand)
	d.cookies.key.init(cfg.Rand)
	d.conns.init(d.secret.table())
	ip.Register(ipv4.ProtocolTCP, d)
	return d
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (d *Demux) Stats() any { return d.stats }

func (d *Demux) now() time.Duration { return d.cfg.Clock.Now() }

// Input handles a segment from the wire: to its connection, to a listener, or answered with a reset
// (RFC 9293 section 3.10.7).
func (d *Demux) Input(now time.Duration, h *ipv4.Header, p *packet.Buffer) {
	d.stats.SegsIn.Inc()
	var s tcp.Segment
	switch {
	case h.Cast != packet.Unicast:
		d.stats.DropAddress.Inc()
	case s.Parse(p.Bytes()) != nil:
		d.stats.DropHeader.Inc()
	case !verify(h, p):
		d.stats.DropChecksum.Inc()
	default:
		d.dispatch(now, h, &s, p)
		return
	}
	p.Free()
}

func (d *Demux) dispatch(now time.Duration, h *ipv4.Header, s *tcp.Segment, p *packet.Buffer) {
	id := tupleOf(h, s)
	minISS := tcp.Seq(0)
	if e := d.conns.find(id); e != nil {
		var reuse bool
		if minISS, reuse = e.reusable(now, s); !reuse {
			e.deliver(now, h, s, p)
			return
		}
	}
	if l := d.listeners.find(id); l != nil {
		l.input(now, h, s, p.Queue, minISS)
	} else {
		d.stats.DropNoConnection.Inc()
		d.reset(now, id, s, p.Queue)
	}
	p.Free()
}

// verify checks the checksum unless the device has, or the segment never crossed a wire.
func verify(h *ipv4.Header, p *packet.Buffer) bool {
	if p.Offload.Checksum != packet.ChecksumNone {
		return true
	}
	b := p.Bytes()
	return checksum.Sum(b, checksum.Pseudo(h.Src.As4(), h.Dst.As4(), ipv4.ProtocolTCP, len(b))) == 0xffff
}

// reset answers a segment that belongs to no connection.
func (d *Demux) reset(now time.Duration, id tuple, s *tcp.Segment, queue uint16) {
	var r tcp.Segment
	if !tcp.ResetFor(s, &r) {
		return
	}
	route, err := d.ip.Route(id.remoteAddr(), id.localAddr())
	if err != nil {
		return
	}
	d.stats.SegsOut.Inc()
	d.stats.RstsOut.Inc()
	h := ipv4.Header{Protocol: ipv4.ProtocolTCP, DF: true}
	d.transmit(now, route, &h, id, &r, queue)
}

// The ECN field of the IP header (RFC 3168 section 5).
const (
	ecnMask = 3
	ecnECT0 = 2
	ecnCE   = 3
)

// transmit sends a segment. Its payload is borrowed until the device has taken it. What the link refuses is lost, and
// retransmission sees to it.
func (d *Demux) transmit(now time.Duration, route *ipv4.Route, h *ipv4.Header, id tuple, s *tcp.Segment, queue uint16) error {
	s.SrcPort, s.DstPort = id.localPort, id.remotePort
	n := s.HeaderLen()
	p := packet.New(n)
	header := p.Extend(n)
	s.PutHeader(header)
	p.Borrow([2][]byte{s.Payload, s.Wrap})
	checksum.Put(header[16:], checksum.Pseudo(id.local, id.remote, ipv4.ProtocolTCP, n+s.DataLen()))
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: 16}
	if s.MSS > 0 {
		p.Offload.Segmentation, p.Offload.Size = packet.SegmentTCP, uint16(s.MSS)
	}
	if s.ECT {
		h.TOS = h.TOS&^ecnMask | ecnECT0
	} else {
		h.TOS &^= ecnMask
	}
	p.Queue = queue
	return d.ip.Send(now, route, h, p)
}

// Advise handles an ICMP error about a segment of ours (RFC 9293 section 3.9.2.2, RFC 5927).
func (d *Demux) Advise(now time.Duration, e *ipv4.Error, quoted []byte) {
	id := tuple{local: e.Quoted.Src.As4(), remote: e.Quoted.Dst.As4(), localPort: be16(quoted), remotePort: be16(quoted[2:])}
	if c := d.conns.find(id); c != nil {
		c.advise(now, e, tcp.Seq(uint32(be16(quoted[4:]))<<16|uint32(be16(quoted[6:]))))
	}
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }

// Status is one row of netstat.
type Status struct {
	State         string // as ss prints it: ESTAB, LISTEN, TIME-WAIT ...
	RecvQ, SendQ  int    // octets; of a listener: waiting connections and backlog
	Local, Remote netip.AddrPort
}

var stateNames = map[tcp.State]string{
	tcp.Closed: "UNCONN", tcp.SynSent: "SYN-SENT", tcp.SynReceived: "SYN-RECV", tcp.Established: "ESTAB",
	tcp.FinWait1: "FIN-WAIT-1", tcp.FinWait2: "FIN-WAIT-2", tcp.CloseWait: "CLOSE-WAIT", tcp.Closing: "CLOSING",
	tcp.LastAck: "LAST-ACK", tcp.TimeWait: "TIME-WAIT",
}

// Endpoints lists all listeners and connections for netstat, TIME-WAIT, half-open and ownerless ones included.
func (d *Demux) Endpoints() []Status {
	rows := d.listeners.status()
	for _, e := range d.conns.all() {
		if row, ok := e.status(); ok {
			rows = append(rows, row)
		}
	}
	return rows
}
