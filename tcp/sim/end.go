package sim

import (
	"cmp"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
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

	BadChecksums int // segments with a wrong checksum, which the wire has corrupted

	sim    *Sim
	flow   *Flow
	index  int
	wake   time.Duration // when to act, after an event or for the user; 0: never
	check  checker
	served bool // it was established: another SYN opens no second connection
}

// User is the application at an End.
type User interface {
	// Act reads, writes and closes. It is called after each event of the connection, and at the time that it has returned last, if that
	// is not 0.
	Act(now time.Duration, c *tcp.Conn) time.Duration
}

// Flow returns the flow of the End.
func (e *End) Flow() *Flow { return e.flow }

// Index returns the End's index in its Flow.
func (e *End) Index() int { return e.index }

// netHeader returns the length of the IP header of the End's packets, in bytes.
func (e *End) netHeader() int { return cmp.Or(e.Setup.NetHeader, tcp.IPv4Header) }

func (e *End) peer() *End { return e.flow.Ends[1-e.index] }

// next returns when the End has to act.
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

// settle lets the user act, and sends what the machine has to send.
func (e *End) settle() {
	e.wake = 0
	if e.Conn == nil {
		if e.index == 1 {
			return
		}
		e.begin(tcp.Open(e.sim.Now, &e.Config, &e.Params, e.Setup))
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

// begin makes c the machine of the End. The machine is traced only if there is a Tracer or Inspect, because tracing is slow.
func (e *End) begin(c *tcp.Conn) {
	e.check = checker{}
	e.Conn = c
	if e.Tracer != nil || e.sim.Inspect != nil {
		c.SetTracer(e)
	}
}

// Trace implements tcp.Tracer for the End's own machine: it checks changes of state, and passes all events on.
func (e *End) Trace(now time.Duration, c *tcp.Conn, v tcp.Event) {
	if v.Kind == tcp.StateChanged && !Legal(v.From, c.State()) {
		e.sim.fail("end %d goes from %v to %v", e.index, v.From, c.State())
	}
	if e.Tracer != nil {
		e.Tracer.Trace(now, c, v)
	}
}

// send segments a super-segment, as a device does, and sends the packets.
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

// cut returns n bytes of a segment's payload from the offset at.
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

// arrive takes a parcel from the wire.
func (e *End) arrive(p *parcel) {
	if p.mtu != 0 {
		if e.Conn != nil && e.Conn.InFlight(p.seq) && p.mtu < e.Conn.MTU() {
			e.Conn.SetMTU(p.mtu)
		}
		return
	}
	var seg tcp.Segment
	sum := checksum.Sum(p.data, checksum.Pseudo(pseudoSrc, pseudoDst, protocolTCP, len(p.data)))
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

// take passes a segment to the machine in a Buffer, as a stack does.
func (e *End) take(seg *tcp.Segment, p *parcel) {
	b := packet.From(p.data)
	seg.CE, seg.Payload, seg.Buffer = p.ce, b.Bytes()[len(p.data)-len(seg.Payload):], b
	e.input(seg)
	e.tell(Event{From: 1 - e.index, Arrived: true, Segment: seg})
	if seg.Buffer != nil {
		b.Free()
	}
}

// input passes a segment to the machine, or acts as CLOSED and LISTEN do, without a machine (RFC 9293 sections 3.10.7.1, 3.10.7.2).
func (e *End) input(seg *tcp.Segment) {
	listens := e.index == 1 && (e.Conn == nil || e.Conn.State() == tcp.Closed && !e.served)
	switch {
	case listens && seg.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN:
		e.begin(tcp.Accept(e.sim.Now, &e.Config, &e.Params, e.Setup, seg))
		e.check.received(e, seg)
	case e.Conn != nil && e.Conn.State() != tcp.Closed:
		e.check.received(e, seg)
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
