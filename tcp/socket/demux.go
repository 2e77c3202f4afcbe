// Package socket joins the pure TCP machine of package tcp to the stack: it finds the connection a segment belongs to,
// and gives each connection a lock, a timer and an owner.
package socket

import (
	"crypto/rand"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/ports"
	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/tcp"
)

// Config of a Demux; zero values mean the documented defaults.
type Config struct {
	tcp.Config
	Clock             clock.Clock
	Timers            *timer.Queue
	Rand              io.Reader // a cryptographic source, read at the start; nil: crypto/rand
	PortLow, PortHigh uint16    // ephemeral ports; 0: 49152-65535
	MaxHalfOpen       int       // connections in SYN-RECEIVED of all listeners, a quarter of them from one source, beyond which SYNs are answered with cookies; 1024
	OrphanMemory      int       // octets that connections without an owner may hold, 4 KiB for each included; 256 MiB
}

// Demux is the TCP layer of one host.
type Demux struct {
	cfg       Config
	ip        *ip.Stack
	ports     *ports.Table
	conns     table
	listeners listeners
	orphans   orphans
	halfOpen  halfOpen
	secret    secret
	cookies   cookies
	stats     *tcp.Stats
	tracers   atomic.Pointer[tracerOf] // nil: nobody watches
}

// New returns the TCP layer and registers it with ip. It panics when the random source fails.
func New(stack *ip.Stack, cfg Config) *Demux {
	cfg.Config = cfg.Config.WithDefaults()
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.MaxHalfOpen == 0 {
		cfg.MaxHalfOpen = 1024
	}
	if cfg.OrphanMemory == 0 {
		cfg.OrphanMemory = 256 << 20
	}
	d := &Demux{cfg: cfg, ip: stack, stats: cfg.Stats,
		ports: ports.New(ports.Config{Rand: cfg.Rand, Low: cfg.PortLow, High: cfg.PortHigh})}
	d.secret.init(cfg.Rand)
	d.cookies.key.init(cfg.Rand)
	d.conns.init(d.secret.table())
	d.listeners.key = d.conns.key
	stack.Register(ip.ProtocolTCP, d)
	return d
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (d *Demux) Stats() any { return d.stats }

func (d *Demux) now() time.Duration { return d.cfg.Clock.Now() }

// arrival is a segment from the wire, with what its IP header said.
type arrival struct {
	seg       tcp.Segment
	id        ip.FourTuple
	in        *ip.Interface // that it came by; nil if it waited in an inbox
	ttl       uint8
	headerLen int     // of the IP header
	route     []byte  // options of the source route to the sender; nil if the segment came by none
	queue     uint16  // of the device
	minISS    tcp.Seq // where the sequence numbers of a new connection start at the lowest; 0: anywhere
}

// parse reads the segment in p, which starts after the IP header h.
func (a *arrival) parse(s *ip.Stack, h *ip.Datagram, p *packet.Buffer) error {
	err := a.seg.Parse(p.Bytes())
	a.seg.CE = h.TOS&ecnMask == ecnCE
	a.id = ip.NewFourTuple(netip.AddrPortFrom(h.Dst, a.seg.DstPort), netip.AddrPortFrom(h.Src, a.seg.SrcPort))
	a.in, a.ttl, a.headerLen, a.route, a.queue = h.In, h.TTL, h.HeaderLen, s.ReplyOptions(h), p.Queue
	return err
}

// Input handles a segment from the wire: to its connection, to a listener, or answered with a reset
// (RFC 9293 section 3.10.7).
func (d *Demux) Input(now time.Duration, h *ip.Datagram, p *packet.Buffer) {
	d.stats.SegsIn.Inc()
	var a arrival
	switch {
	case h.Cast != packet.Unicast:
		d.stats.DropAddress.Inc()
	case a.parse(d.ip, h, p) != nil:
		d.stats.DropHeader.Inc()
	case !verify(h, p):
		d.stats.DropChecksum.Inc()
	default:
		d.dispatch(now, &a, p)
		return
	}
	p.Free()
}

func (d *Demux) dispatch(now time.Duration, a *arrival, p *packet.Buffer) {
	e := d.conns.find(&a.id)
	if e != nil && e.hears(a.in) && !d.succeed(now, e, a) {
		if !e.tooFar(a) {
			e.deliver(now, a, p)
			return
		}
		d.stats.DropMinTTL.Inc()
		p.Free()
		return
	}
	switch l := d.listeners.find(a); {
	case l == nil:
		d.stats.DropNoConnection.Inc()
		d.reset(now, a)
	case l.endpoint.tooFar(a):
		d.stats.DropMinTTL.Inc()
	default:
		l.input(now, a, p)
	}
	p.Free()
}

// succeed says whether the segment is a SYN that may take over a connection in TIME-WAIT, and then ends that
// (RFC 9293 section 3.6.1, RFC 6191). It takes a listener, too: else the SYN would end the one without beginning another.
func (d *Demux) succeed(now time.Duration, e *Endpoint, a *arrival) bool {
	if a.seg.Flags&(tcp.SYN|tcp.ACK|tcp.RST) != tcp.SYN || d.listeners.find(a) == nil || !e.mu.TryLock() {
		return false
	}
	defer e.unlock(now)
	ok := false
	if e.conn != nil {
		a.minISS, ok = e.conn.Reuse(now, &a.seg)
	}
	return ok
}

// verify checks the checksum unless the device has, or the segment never crossed a wire.
func verify(h *ip.Datagram, p *packet.Buffer) bool {
	if p.Offload.Checksum != packet.ChecksumNone {
		return true
	}
	b := p.Bytes()
	return checksum.Sum(b, h.PseudoSum(len(b))) == 0xffff
}
