// Package dialogue is a knock-knock joke between two TCP machines in virtual time, with all that happens told to
// whoever wants to draw it or step through it. The same Config makes the same run.
package dialogue

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"tunstack/tcp"
	"tunstack/tcp/sim"
	"tunstack/tcp/sim/knock"
	"tunstack/trace"
)

// Ends of the connection: the client, who opens it and tells the joke, and the server.
var Ends = [2]netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:1414")}

// Config is what can be chosen.
type Config struct {
	Seed  uint64        // of all chance: the joke, initial sequence numbers, the client's haste, Loss
	Delay time.Duration // of the wire, one way
	Drop  []int         // which segments are lost, in the order in which both ends send them, from 1
	Loss  float64       // the share of segments that are lost besides

	// Watch, if not nil, is told of all that the End with the given index does, as it does it.
	Watch func(end int, r trace.Record)
}

// New returns the simulation of a dialogue that has not begun.
func New(cfg Config) *sim.Sim {
	s := sim.New(cfg.Seed, 0)
	client := &client{turns: knock.Pick(s.Rand).Turns(), rand: s.Rand}
	var ends [2]*sim.End
	for i, u := range []sim.User{client, &server{}} {
		ends[i] = &sim.End{User: u, Setup: tcp.Setup{
			ISS: tcp.Seq(s.Rand.Uint32()), TSOffset: s.Rand.Uint32(), MTU: 1500, LinkMTU: 1500,
		}}
		if cfg.Watch != nil {
			w := watch{i, cfg.Watch}
			ends[i].Tracer, ends[i].Setup.Tracer = w, w
		}
	}
	drop := cfg.dropper(s.Rand)
	s.Connect(time.Millisecond, ends[0], ends[1], &sim.Link{Delay: cfg.Delay, Drop: drop}, &sim.Link{Delay: cfg.Delay, Drop: drop})
	return s
}

// dropper decides for one segment after the other whether it is lost.
func (cfg Config) dropper(r *rand.Rand) func(time.Duration, *tcp.Segment) bool {
	n := 0
	return func(time.Duration, *tcp.Segment) bool {
		n++
		return slices.Contains(cfg.Drop, n) || cfg.Loss > 0 && r.Float64() < cfg.Loss
	}
}

// watch is the Tracer of one end.
type watch struct {
	end  int
	tell func(int, trace.Record)
}

// Trace implements tcp.Tracer.
func (w watch) Trace(now time.Duration, c *tcp.Conn, e tcp.Event) {
	w.tell(w.end, trace.New(now, Ends[w.end], Ends[1-w.end], c, e))
}

// client tells the joke, with a pause before each line, and closes when the server has.
type client struct {
	turns  [3]knock.Turn
	rand   *rand.Rand
	inbox  lines
	said   int
	at     time.Duration // when to say the next line; 0: not decided
	closed bool
}

// Act implements sim.User.
func (u *client) Act(now time.Duration, c *tcp.Conn) time.Duration {
	u.inbox.read(now, c)
	if !open(c) {
		return 0
	}
	if u.said < len(u.turns) && u.said == u.inbox.count {
		if u.at == 0 {
			u.at = now + 200*time.Millisecond + time.Duration(u.rand.Int64N(int64(400*time.Millisecond)))
		}
		if now < u.at {
			return u.at
		}
		say(now, c, u.turns[u.said].Say)
		u.said, u.at = u.said+1, 0
	}
	if c.AtEOF() && !u.closed {
		u.closed = true
		c.Close(now)
	}
	return 0
}

// server answers each line, and closes after the punch line.
type server struct {
	knock.Server
	inbox lines
	over  bool
}

// Act implements sim.User.
func (u *server) Act(now time.Duration, c *tcp.Conn) time.Duration {
	heard := u.inbox.read(now, c)
	if !open(c) {
		return 0
	}
	over := c.AtEOF()
	for _, line := range heard {
		answer, last := u.Hear(line)
		if over = over || last; !last {
			say(now, c, answer)
		}
	}
	if over && !u.over {
		u.over = true
		c.Close(now)
	}
	return 0
}

// open reports whether lines can be said.
func open(c *tcp.Conn) bool { s := c.State(); return s == tcp.Established || s == tcp.CloseWait }

func say(now time.Duration, c *tcp.Conn, line string) { c.Write(now, []byte(line+"\r\n")) }

// lines cuts what is received into lines.
type lines struct {
	rest  []byte // of a line whose end has not come yet
	count int    // of whole lines so far
}

// read returns the lines that have become whole, without their ends.
func (l *lines) read(now time.Duration, c *tcp.Conn) (whole []string) {
	var b [256]byte
	for c.Readable() > 0 {
		l.rest = append(l.rest, b[:c.Read(now, b[:])]...)
	}
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return whole
		}
		whole, l.rest, l.count = append(whole, string(bytes.TrimRight(line, "\r"))), rest, l.count+1
	}
}
