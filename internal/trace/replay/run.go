package replay

import (
	"time"

	"tunstack/tcp"
)

// birth is when a connection begins in the machine's time, in which 0 is never.
const birth = time.Second

// player is a machine at work on one side of a recorded connection.
type player struct {
	conn    *tcp.Conn
	cfg     tcp.Config
	params  tcp.Params
	setup   tcp.Setup
	script  []deed
	pending []byte // written by the user, without room in the send buffer
	closed  bool   // by the user, once pending is in there
	shut    bool   // the machine knows
	index   int    // of the recorded segment that it is given
	sent    []segment
	drops   []drop
}

// drop is a segment of the peer's that the machine had no use for.
type drop struct {
	index    int // of the recorded segment
	why, rfc string
}

// play gives a machine the peer's segments at the times at which they were recorded, and its user the recorded octets when the
// first of them was sent. What is yet to come when the recording ends is left out.
func (c *Connection) play() *player {
	p := c.player()
	deeds := p.script
	for i := range c.segments {
		s := &c.segments[i]
		now := birth + s.at
		p.until(now)
		if !s.own {
			p.index = i
			p.input(now, &s.Segment)
		}
		for len(deeds) > 0 && deeds[0].index == i {
			p.act(now, &deeds[0])
			deeds = deeds[1:]
		}
		p.output(now)
	}
	return p
}

// until lets the machine's timers act that are due before a time.
func (p *player) until(now time.Duration) {
	for p.conn != nil {
		at := p.conn.Deadline()
		if at == 0 || at >= now {
			return
		}
		p.output(at)
	}
}

// act does what the recorded user did.
func (p *player) act(now time.Duration, d *deed) {
	if d.open && p.conn == nil {
		p.conn = tcp.Open(now, &p.cfg, p.params, p.setup)
	}
	if p.conn == nil {
		return
	}
	p.pending = append(p.pending, d.data...)
	p.closed = p.closed || d.close
	if d.abort {
		p.conn.Abort(now)
	}
}

// input gives the machine a segment of the peer's.
func (p *player) input(now time.Duration, s *tcp.Segment) {
	switch {
	case p.conn != nil:
		p.conn.Input(now, s)
	case s.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN:
		p.conn = tcp.Accept(now, &p.cfg, p.params, p.setup, s)
	default:
		return
	}
	var b [4096]byte
	for p.conn.Readable() > 0 && p.conn.Read(now, b[:]) > 0 {
	}
}

// Trace implements tcp.Tracer.
func (p *player) Trace(_ time.Duration, _ *tcp.Conn, e tcp.Event) {
	if e.Kind == tcp.SegmentDropped {
		p.drops = append(p.drops, drop{p.index, e.Why, e.RFC})
	}
}

// output lets the user write what there is room for, and sends what there is to send.
func (p *player) output(now time.Duration) {
	if p.conn == nil {
		return
	}
	for {
		p.pending = p.pending[p.conn.Write(now, p.pending):]
		if p.closed && !p.shut && len(p.pending) == 0 {
			p.shut = true
			p.conn.CloseWrite(now)
		}
		var s tcp.Segment
		if !p.conn.Output(now, &s) {
			p.conn.Events()
			return
		}
		s.Payload, s.Wrap = append(append([]byte(nil), s.Payload...), s.Wrap...), nil
		p.sent = append(p.sent, segment{Segment: s, at: now - birth, own: true, state: p.conn.State()})
	}
}
