package sim

import (
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

// End is one side of a connection. Its owner sets the exported fields before the simulation starts.
type End struct {
	Config tcp.Config
	Params tcp.Params
	Setup  tcp.Setup
	User   User
	Tracer tcp.Tracer // may be nil
	Conn   *tcp.Conn  // nil before it opens, or while it listens

	BadChecksums int // segments that the wire has corrupted

	sim    *Sim
	flow   *Flow
	index  int
	wake   time.Duration // something has happened, or the user wants to act; 0: no
	check  checker
	served bool // a connection that was established is not replaced by another
}

// User is the application at an End.
type User interface {
	// Act reads, writes and closes as it likes. It is called when anything has happened to the connection, and at
	// the time it returned last; 0: never.
	Act(now time.Duration, c *tcp.Conn) time.Duration
}

// Flow is the connection that the End belongs to.
func (e *End) Flow() *Flow { return e.flow }

// Index is which of its flow's Ends it is.
func (e *End) Index() int { return e.index }

func (e *End) peer() *End { return e.flow.Ends[1-e.index] }

// next is when the End has something to do.
func (e *End) next() (time.Duration, bool) {
	at, ok := e.wake, e.wake != 0
	if e.Conn != nil {
		if d := e.Conn.Deadline(); d != 0 && (!ok || d < at) {
			at, ok = d, true
		}
	}
	return at, ok
}

func (e *End) due() bool {
	at, ok := e.next()
	return ok && at <= e.sim.Now
}

// settle lets user and machine do what is to be done now.
func (e *End) settle() {
	e.wake = 0
	if e.Conn == nil {
		if e.index == 1 {
			return
		}
		e.begin(tcp.Open(e.sim.Now, &e.Config, e.Params, e.Setup))
	}
	if e.User != nil {
		e.wake = e.User.Act(e.sim.Now, e.Conn)
	}
	e.inspect()
	for n := 0; e.sim.err == nil; n++ {
		var seg tcp.Segment
		more := e.Conn.Output(e.sim.Now, &seg)
		e.inspect()
		if !more {
			return
		}
		if n > 100_000 {
			e.sim.fail("Output never ends")
		}
		e.send(&seg)
	}
}

// begin takes a machine into service. It is traced only if anybody looks at it, for that takes time.
func (e *End) begin(c *tcp.Conn) {
	e.check = checker{}
	e.Conn = c
	if e.Tracer != nil || e.sim.Inspect != nil {
		c.SetTracer(e)
	}
}

// Trace makes the End the Tracer of its own machine: it looks at changes of state, and passes all on.
func (e *End) Trace(now time.Duration, c *tcp.Conn, v tcp.Event) {
	if v.Kind == tcp.StateChanged && !Legal(v.From, c.State()) {
		e.sim.fail("end %d goes from %v to %v", e.index, v.From, c.State())
	}
	if e.Tracer != nil {
		e.Tracer.Trace(now, c, v)
	}
}

// send cuts a segment to single packets, as a device does, and sends them.
func (e *End) send(seg *tcp.Segment) {
	e.check.sent(e, seg)
	data := seg.DataLen()
	size := data
	if seg.MSS > 0 {
		size = seg.MSS
	}
	for at := 0; at == 0 || at < data; at += size {
		p := *seg
		p.MSS = 0
		n := min(size, data-at)
		p.Payload, p.Wrap = cut(seg, at, n)
		p.Seq = seg.Seq.Add(at)
		if at+n < data {
			p.Flags &^= tcp.FIN | tcp.PSH
		}
		if at > 0 {
			p.Flags &^= tcp.CWR
		}
		if p.Flags.Has(tcp.URG) {
			p.Urg = seg.Urg - uint16(min(at, int(seg.Urg)))
		}
		fate := e.flow.Links[e.index].transmit(e, &p)
		e.tell(Event{From: e.index, Fate: fate, Segment: &p})
		if n == 0 {
			return
		}
	}
}

// cut is n octets of a segment's payload from the offset at.
func cut(s *tcp.Segment, at, n int) (payload, wrap []byte) {
	if at >= len(s.Payload) {
		return s.Wrap[at-len(s.Payload):][:n], nil
	}
	payload = s.Payload[at:min(at+n, len(s.Payload))]
	return payload, s.Wrap[:n-len(payload)]
}

func (e *End) tell(v Event) {
	if e.sim.Hook != nil {
		v.At, v.Flow = e.sim.Now, e.flow
		if e.Conn != nil {
			v.State = e.Conn.State()
		}
		e.sim.Hook(v)
	}
}

// arrive takes a parcel off the wire.
func (e *End) arrive(p *parcel) {
	if p.mtu != 0 {
		if e.Conn != nil && e.Conn.InFlight(p.seq) && p.mtu < e.Conn.MTU() {
			e.Conn.SetMTU(p.mtu)
		}
		return
	}
	var seg tcp.Segment
	sum := checksum.Sum(p.data, checksum.Pseudo(pseudoSrc, pseudoDst, ip.ProtocolTCP, len(p.data)))
	switch {
	case len(p.data) == 0: // superseded
	case sum != 0xffff:
		e.BadChecksums++
	case seg.Parse(p.data) != nil:
		e.sim.fail("a segment that does not parse: %x", p.data)
	default:
		e.take(&seg, p)
	}
}

// take gives a segment to the machine in a Buffer, as a stack does.
func (e *End) take(seg *tcp.Segment, p *parcel) {
	b := packet.From(p.data)
	seg.CE, seg.Payload, seg.Buffer = p.ce, b.Bytes()[len(p.data)-len(seg.Payload):], b
	e.input(seg)
	e.tell(Event{From: 1 - e.index, Arrived: true, Segment: seg})
	if seg.Buffer != nil {
		b.Free()
	}
}

// input gives a segment to the machine, or does what CLOSED and LISTEN do without one (RFC 9293 sections 3.10.7.1, 3.10.7.2).
func (e *End) input(seg *tcp.Segment) {
	listens := e.index == 1 && (e.Conn == nil || e.Conn.State() == tcp.Closed && !e.served)
	switch {
	case listens && seg.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN:
		e.begin(tcp.Accept(e.sim.Now, &e.Config, e.Params, e.Setup, seg))
		e.check.received(seg)
	case e.Conn != nil && e.Conn.State() != tcp.Closed:
		e.check.received(seg)
		e.Conn.Input(e.sim.Now, seg)
		e.served = e.served || e.Conn.State() >= tcp.Established
		e.inspect()
	default:
		var reset tcp.Segment
		if tcp.ResetFor(seg, &reset) {
			e.tell(Event{From: e.index, Fate: e.flow.Links[e.index].transmit(e, &reset), Segment: &reset})
		}
	}
}

func (e *End) inspect() {
	if e.sim.Inspect != nil {
		if err := e.sim.Inspect(e); err != nil {
			e.sim.fail("end %d: %w", e.index, err)
		}
	}
}
