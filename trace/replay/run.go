package replay

import (
	"fmt"
	"strings"
	"time"

	"tunstack/tcp"
)

// birth is the start of a connection in the machine's time, in which 0 means never.
const birth = time.Second

// player is a machine that plays one end of a recorded connection.
type player struct {
	conn    *tcp.Conn
	cfg     tcp.Config
	params  tcp.Params
	setup   tcp.Setup
	script  []call
	pending []byte // written by the user, but not yet accepted by the send buffer
	closed  bool   // the user has closed; the machine is closed after pending is written
	shut    bool   // the machine is closed
	index   int    // of the recorded segment that is the input
	sent    []segment
	notes   map[int]string // on recorded segments of the peer, by index
}

// batch is the time within which segments of the peer are answered together, as a stack answers the segments that it reads from its
// device at once.
const batch = 100 * time.Microsecond

// play passes the peer's segments to a machine at their recorded times, and makes the user's calls at the times of the segments that they
// led to. It ends with the recording.
func (c *Connection) play() *player {
	p := c.player()
	calls := p.script
	first, last := time.Duration(-1), time.Duration(0) // of the segments that are to be answered; first is negative if there are none
	for i := range c.segments {
		s := &c.segments[i]
		if first >= 0 && s.at-first > batch {
			p.output(birth + last)
			first = -1
		}
		p.until(birth + s.at)
		if !s.own {
			p.index = i
			p.input(birth+s.at, &s.Segment)
			if last = s.at; first < 0 {
				first = s.at
			}
			continue
		}
		for len(calls) > 0 && calls[0].index == i {
			p.act(birth+s.at, &calls[0])
			calls = calls[1:]
		}
		p.output(birth + s.at)
		first = -1
	}
	if first >= 0 {
		p.output(birth + last)
	}
	return p
}

// until runs the machine's timers that are due before a time.
func (p *player) until(now time.Duration) {
	for p.conn != nil {
		at := p.conn.Deadline()
		if at == 0 || at >= now {
			return
		}
		p.output(at)
	}
}

// act makes a call of the recorded user.
func (p *player) act(now time.Duration, d *call) {
	if d.open && p.conn == nil {
		p.conn = tcp.Open(now, &p.cfg, &p.params, p.setup)
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

// input passes a segment of the peer to the machine.
func (p *player) input(now time.Duration, s *tcp.Segment) {
	switch {
	case p.conn != nil:
		p.conn.Input(now, p.credible(s))
	case s.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN:
		p.conn = tcp.Accept(now, &p.cfg, &p.params, p.setup, s)
	default:
		return
	}
	var b [4096]byte
	for p.conn.Readable() > 0 && p.conn.Read(now, b[:]) > 0 {
	}
}

// credible returns a segment that acknowledges no more than the machine has sent: while the machine is behind the recorded end, the peer's
// acknowledgments are too early for it.
func (p *player) credible(s *tcp.Segment) *tcp.Segment {
	nxt := p.conn.Variables().SndNxt
	if !s.Flags.Has(tcp.ACK) || s.Flags.Has(tcp.RST) || !nxt.Less(s.Ack) {
		return s
	}
	c := *s
	c.Ack, c.Options.SackCount = nxt, 0
	p.note("not yet sent by ours: %d bytes that it acknowledges", s.Ack.Sub(nxt))
	return &c
}

// note adds a remark to the recorded segment that is the input.
func (p *player) note(format string, args ...any) {
	p.notes[p.index] = strings.TrimPrefix(p.notes[p.index]+"; "+fmt.Sprintf(format, args...), "; ")
}

// Trace implements tcp.Tracer.
func (p *player) Trace(_ time.Duration, _ *tcp.Conn, e tcp.Event) {
	switch e.Kind {
	case tcp.SegmentDropped:
		p.note("dropped: %s", e.Reason())
	case tcp.SegmentDuplicate:
		p.note("duplicate (%s)", e.RFC)
	}
}

// output writes as much of pending as the send buffer takes, and sends the segments that the machine has.
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
